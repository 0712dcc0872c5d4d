import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { machineProofText } from './hello.ts'
import { actionText, permitText } from './permit.ts'

const action = {
  method: 'exec',
  target: 'mac_1',
  callId: 'call_0001',
  params: { command: ['ls', '-l'], cwd: '/' } as Record<string, unknown>,
  deadlineMs: 1000 as number | undefined,
}

test('The text of an action is one, whatever the order of its parameters', () => {
  expect(actionText({ ...action, params: { cwd: '/', command: ['ls', '-l'] } })).toBe(actionText(action))
  expect(actionText(action)).toBe(
    '{"callId":"call_0001","deadlineMs":1000,"method":"exec","params":{"command":["ls","-l"],"cwd":"/"},"target":"mac_1","version":1}',
  )
})

test('Everything that decides what runs is in the text of an action', () => {
  const changed = [
    { method: 'facts' },
    { target: 'mac_2' },
    { callId: 'call_0002' },
    { params: { command: ['ls', '-a'], cwd: '/' } },
    { params: JSON.parse('{"command":["ls","-l"],"cwd":"/","__proto__":{"env":{}}}') as Record<string, unknown> },
    { deadlineMs: 1001 },
    { deadlineMs: undefined },
  ].map((change) => actionText({ ...action, ...change }))
  expect(new Set([actionText(action), ...changed]).size).toBe(changed.length + 1)
})

test('No parameter can pass for another part of the action', () => {
  const forged = fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (params) => {
    const read = JSON.parse(actionText({ ...action, params })) as Record<string, unknown>
    expect({ ...read, params: null }).toEqual({
      ...action,
      version: 1,
      params: null,
    })
  })
  fc.assert(forged, { numRuns: 200 })
})

test('What a relay and a machine sign can never be taken for one another', () => {
  const proof = machineProofText({ relayId: 'r', machineId: 'm', instanceId: 'i', challenge: 'c' })
  expect(proof).toBe('cmdop-machine-proof-v1\nr\nm\ni\nc')
  expect(permitText('{}')).toBe('cmdop-permit-v1\n{}')
})
