import { access } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

/** An approved call that is let in, and waits for its machine to connect again. */
async function callThatWaits(callId: string) {
  const file = `${await world.folder()}/ran`
  const call = { callId, approval: { ask: true } }
  const command = ['touch', file]
  const refused: unknown = await world.handle.exec(command, call).then(undefined, (error: unknown) => error)
  expect(refused).toMatchObject({ code: 'approval_required' })
  const { approvalId } = (refused as { details: { approvalId: string } }).details
  const { planDigest } = await world.client.approvals.get(approvalId)
  await world.client.approvals.approve(approvalId, { planDigest })
  await world.machine.close()
  const outcome = world.handle.exec(command, call).then(
    () => undefined,
    (error: unknown) => error,
  )
  await waitFor('its intent is written', async () => {
    const { items } = await world.client.audit.getLogs({ approvalId, action: 'exec' })
    return items.some(({ decision }) => decision === 'allow')
  })
  return { approvalId, outcome, file }
}

test('A denial counts until the call is sent: one that waits for its machine does not run any more', async () => {
  const { approvalId, outcome, file } = await callThatWaits('call_denied_late')
  const denied = await world.client.approvals.deny(approvalId, { reason: 'Wait.' })
  expect(denied).toMatchObject({ state: 'denied' })
  await world.machine.restart()
  expect(await outcome).toMatchObject({ code: 'approval_denied', message: expect.stringContaining('Wait.') })
  await expect(access(file)).rejects.toThrow('ENOENT')
  await world.whenOnline(world.machine)
})

test('A question that is withdrawn until then is void for the call', async () => {
  const { approvalId, outcome, file } = await callThatWaits('call_withdrawn_late')
  await world.client.approvals.withdraw(approvalId)
  await world.machine.restart()
  expect(await outcome).toMatchObject({ code: 'approval_void' })
  await expect(access(file)).rejects.toThrow('ENOENT')
})
