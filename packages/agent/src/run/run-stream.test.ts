import { expect, test } from 'vitest'
import * as z from 'zod'
import { collect } from '../testing/collect.ts'
import type { ScriptedStep } from '../testing/scripted-model.ts'
import { answer, scriptedWorld } from '../testing/scripted-world.ts'

const outputSchema = z.object({ word: z.string() })
const sleep = { tool: 'run_command', input: { command: ['sleep', '1000'] } }

function start(steps: readonly ScriptedStep[]) {
  const world = scriptedWorld(steps)
  return { ...world, stream: world.agent.runStream('Answer', { outputSchema }) }
}

test('events come in the order of the work and end with exactly one result', async () => {
  using world = start([
    { thinking: 'Hm.', text: 'I look.', calls: [{ tool: 'run_command', input: { command: ['true'] } }] },
    { calls: [answer] },
  ])
  const events = await collect(world.stream)
  expect(events.map((event) => event.type)).toEqual([
    'thinking',
    'text',
    'usage',
    'tool_call',
    'tool_result',
    'usage',
    'result',
  ])
  expect(events).toMatchObject([
    { content: 'Hm.' },
    { content: 'I look.' },
    { usage: { totalTokens: 15 } },
    { tool: 'run_command', toolCallId: 'call-1-1', input: { command: ['true'] } },
    { tool: 'run_command', toolCallId: 'call-1-1', isError: false, output: { exitCode: 0 } },
    { usage: { totalTokens: 30 } },
    { output: { word: 'yes' }, result: { status: 'completed' } },
  ])
})

test('the last event and the promise give the same value', async () => {
  using world = start([{ calls: [answer] }])
  const events = await collect(world.stream)
  const last = events.at(-1)
  expect(last?.type === 'result' && last.result).toBe(await world.stream.result)
})

test('the promise alone runs the run to its end', async () => {
  using world = start([{ calls: [answer] }])
  await expect(world.stream.result).resolves.toMatchObject({ output: { word: 'yes' } })
})

test('the promise may be taken first and the events in the same turn', async () => {
  using world = start([{ calls: [answer] }])
  const { result } = world.stream
  const events = await collect(world.stream)
  expect(events.at(-1)).toMatchObject({ type: 'result', result: await result })
})

test('nothing is sent before somebody looks', async () => {
  using world = start([])
  expect(world.model.seen).toHaveLength(0)
})

test('to iterate twice throws and does not send the prompt again', async () => {
  using world = start([{ calls: [answer] }])
  await collect(world.stream)
  await expect(collect(world.stream)).rejects.toMatchObject({ code: 'conflict' })
  expect(world.model.seen).toHaveLength(1)
})

test('an error is the last event, and nobody has to look at the promise', async () => {
  using world = start([{ text: 'I begin.', error: new Error('out of order') }])
  const events = await collect(world.stream)
  expect(events).toMatchObject([{ type: 'error', error: { name: 'RunError', code: 'model' } }])
  await expect(world.stream.result).rejects.toBe(events[0]?.type === 'error' && events[0].error)
})

test('leaving the loop cancels the run', async () => {
  using world = start([{ text: 'I begin.', hangs: true }])
  for await (const event of world.stream) if (event.type === 'text') break
  await expect(world.stream.result).rejects.toMatchObject({ code: 'cancelled', result: { status: 'cancelled' } })
})

test('leaving while a command runs kills its process before it returns', async () => {
  using world = start([{ calls: [sleep] }])
  const events = world.stream[Symbol.asyncIterator]()
  for (let event = await events.next(); !event.done && event.value.type !== 'tool_call';) event = await events.next()
  const started = world.machine.nextProcess()
  const pending = events.next()
  const pid = await started
  await events.return?.()
  expect(world.machine.running.size).toBe(0)
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  await expect(pending).resolves.toMatchObject({ value: { type: 'tool_result', final: true, outcome: 'cancelled' } })
  await expect(world.stream.result).rejects.toMatchObject({ code: 'cancelled' })
})

test('a stream that is disposed before it began never begins', async () => {
  using world = start([])
  {
    await using _ = world.stream
  }
  await expect(world.stream.result).rejects.toMatchObject({ code: 'cancelled' })
})

test('a stream that nobody takes further can still be disposed', async () => {
  using world = start([{ text: 'I begin.', hangs: true }])
  {
    await using stream = world.stream
    await stream[Symbol.asyncIterator]().next()
  }
  await expect(world.stream.result).rejects.toMatchObject({ code: 'cancelled' })
})

test('no warning of the SDK is printed', async () => {
  const warnings: Error[] = []
  const listen = (warning: Error): number => warnings.push(warning)
  process.on('warning', listen)
  using world = start([{ calls: [answer] }])
  const doStream = world.model.doStream.bind(world.model)
  world.model.doStream = async (options) => {
    const { stream } = await doStream(options)
    const warn = new TransformStream({
      transform: (part, controller) =>
        controller.enqueue(
          part.type === 'stream-start' ? { ...part, warnings: [{ type: 'other', message: 'odd' }] } : part,
        ),
    })
    return { stream: stream.pipeThrough(warn) }
  }
  await world.stream.result
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listen)
  expect(warnings).toEqual([])
})
