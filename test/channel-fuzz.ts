import { isCmdopError, methods } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { addFleet, addSilentMachine } from './fleets.ts'
import { rawChannels } from './unresolved.ts'
import { startWorld, type World } from './world.ts'

/** In the other fleet's rows; nothing of it may ever be in an answer. */
const CANARY = 'canary4712'

/** Milliseconds for an answer; what has none by then is cancelled. */
const ANSWER_MS = 3000

/** Calls and frames of wrong types, sizes and targets: half as calls of a client, half as bytes on a connection. */
export async function fuzzChannel(count: number): Promise<void> {
  await using world = await startWorld()
  const store = await world.openStore()
  const other = await addFleet(store, CANARY)
  const foreign = await addSilentMachine(store, other.fleetId, { name: CANARY })
  const channels = rawChannels(world)
  const calls = fc.asyncProperty(
    fc.array(callTo([world.machine.id, foreign]), { minLength: 10, maxLength: 10 }),
    async (batch) => {
      await Promise.all(
        batch.map(async (call) => {
          const signal = AbortSignal.timeout(ANSWER_MS)
          const answer = await channels
            .ask({ ...call, signal } as Parameters<typeof channels.ask>[0])
            .catch((error: unknown) => error)
          assertSound(answer, call)
        }),
      )
    },
  )
  await fc.assert(calls, { numRuns: Math.ceil(count / 20), endOnFailure: true })
  await channels.close()
  const frames = fc.asyncProperty(
    fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 10, maxLength: 10 }),
    (batch) => sendFrames(world, batch),
  )
  await fc.assert(frames, { numRuns: Math.ceil(count / 20), endOnFailure: true })
  expect(await world.handle.exec('echo still')).toMatchObject({ stdout: 'still\n' })
}

/** Parameters that fit now and then; nothing that would change the machine of whoever runs this. */
function callTo(targets: readonly string[]) {
  const harmless = Object.keys(methods).filter(
    (name) => !/write|delete|move|copy|mkdir|symlink|change|exec|execute|open|undo|apply/.test(name),
  )
  const wild = fc.jsonValue({ maxDepth: 3 })
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('', '/', '/etc/hostname', '../..', '\0', '\ud800', 'x'.repeat(5000)),
  )
  const params = fc.dictionary(
    fc.constantFrom(
      'path',
      'sessionId',
      'effectId',
      'offset',
      'limit',
      'command',
      'words',
      'method',
      'params',
      'hash',
      '__proto__',
      'session',
    ),
    fc.oneof(text, wild, fc.integer(), fc.constant([text])),
    { maxKeys: 5 },
  )
  const operator = fc.option(fc.oneof(wild, fc.record({ runId: fc.uuid(), agentType: text, model: text })), {
    nil: undefined,
    freq: 4,
  })
  return fc.record({
    method: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...harmless) }, text),
    target: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...targets) }, text),
    params: fc.oneof({ weight: 8, arbitrary: params }, wild),
    callId: fc.oneof({ weight: 5, arbitrary: fc.uuid() }, text),
    deadlineMs: fc.option(fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.double()), { nil: undefined }),
    operator,
    under: fc.option(wild, { nil: undefined, freq: 6 }),
    approval: fc.option(fc.record({ ask: fc.boolean(), approvalId: text }), { nil: undefined, freq: 6 }),
  })
}

function assertSound(answer: unknown, call: object): void {
  const text = isCmdopError(answer) ? `${answer.message} ${JSON.stringify(answer.details)}` : JSON.stringify(answer)
  const shown = `${JSON.stringify(call)}: ${text.slice(0, 500)}`
  if (
    !isCmdopError(answer) &&
    answer instanceof Error &&
    !(answer instanceof z.ZodError || answer instanceof TypeError)
  )
    expect.fail(`no coded error: ${String(answer)} ${shown}`)
  if (isCmdopError(answer) && answer.code === 'server') expect.fail(`a fault: ${shown}`)
  if (/\n\s+at \S+ \(|node_modules/.test(text)) expect.fail(`a stack: ${shown}`)
  if (text.includes(CANARY)) expect.fail(`of another fleet: ${shown}`)
}

/** Bytes on a connection with a good key. The relay closes it with a code, or reads on; it never falls silent for good. */
async function sendFrames(world: World, batch: readonly Uint8Array[]): Promise<void> {
  const socket = new WebSocket(`${world.relay.url.replace('http', 'ws')}/api/channel`, 'cmdop.channel.v1', {
    headers: { authorization: `Bearer ${world.relay.firstKey}` },
  })
  const said: string[] = []
  const over = Promise.withResolvers<void>()
  socket.on('message', (data: Buffer) => said.push(data.toString('latin1')))
  socket.on('error', () => {})
  socket.on('close', () => over.resolve())
  const opened = Promise.withResolvers<void>()
  socket.on('open', () => opened.resolve())
  socket.on('close', () => opened.resolve())
  await opened.promise
  for (const frame of batch) if (socket.readyState === WebSocket.OPEN) socket.send(frame)
  socket.close()
  await over.promise
  const text = said.join('')
  if (/"code":"server"|node_modules|\n\s+at \S+ \(/.test(text) || text.includes(CANARY)) expect.fail(text.slice(0, 500))
}
