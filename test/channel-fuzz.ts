import { isCmdopError, methods } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { z } from 'zod'
import { addFleet, addSilentMachine } from './fleets.ts'
import { frameBatch, sendFrames } from './frame-fuzz.ts'
import { rawChannels } from './unresolved.ts'
import { startWorld } from './world.ts'

/** In the other fleet's rows; nothing of it may ever be in an answer. */
const CANARY = 'canary4712'

/** Milliseconds for an answer; what has none by then is cancelled. */
const ANSWER_MS = 3000

/** Calls and frames of wrong types, sizes and targets: half as calls of a client, half as frames on a connection. */
export async function fuzzChannel(count: number): Promise<void> {
  await using world = await startWorld()
  const store = await world.openStore()
  const other = await addFleet(store, CANARY)
  const foreign = await addSilentMachine(store, other.fleetId, { name: CANARY })
  const { fleetId } = await world.client.me()
  const silent = await addSilentMachine(store, fleetId, { name: 'silent' })
  const call = callTo({ real: world.machine.id, others: [foreign, silent] })
  const channels = rawChannels(world)
  const calls = fc.asyncProperty(fc.array(call, { minLength: 10, maxLength: 10 }), async (batch) => {
    await Promise.all(
      batch.map(async (call) => {
        const signal = AbortSignal.timeout(ANSWER_MS)
        const answer = await channels
          .ask({ ...call, signal } as Parameters<typeof channels.ask>[0])
          .catch((error: unknown) => error)
        assertSound(answer, call)
      }),
    )
  })
  await fc.assert(calls, { numRuns: Math.ceil(count / 20), endOnFailure: true })
  await channels.close()
  const frames = fc.asyncProperty(frameBatch(call), async (batch) => {
    assertClean(await sendFrames(world, batch))
  })
  await fc.assert(frames, { numRuns: Math.ceil(count / 20), endOnFailure: true })
  expect(await world.handle.exec('echo still')).toMatchObject({ stdout: 'still\n' })
}

/**
 * Parameters that fit now and then. Nothing that would change the machine of whoever runs this: what would goes to a machine
 * that is not there, or has no text in its parameters.
 */
function callTo({ real, others }: { readonly real: string; readonly others: readonly string[] }) {
  const all = Object.keys(methods)
  const harmless = all.filter(
    (name) => !/write|delete|move|copy|mkdir|symlink|change|exec|execute|open|undo|apply/.test(name),
  )
  const wild = fc.jsonValue({ maxDepth: 3 })
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('', '/', '/etc/hostname', '../..', '\0', '\ud800', 'x'.repeat(5000)),
  )
  const names = fc.constantFrom(
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
    'cwd',
    'env',
    'restrictions',
    'data',
    'to',
    'mode',
    'size',
    'steps',
  )
  const params = fc.dictionary(names, fc.oneof(text, wild, fc.integer(), fc.constant([text])), { maxKeys: 5 })
  const number = fc.oneof(fc.integer(), fc.boolean(), fc.constant(null), fc.array(fc.integer(), { minLength: 1 }))
  const textless = fc
    .dictionary(names, number, { maxKeys: 5 })
    .map((given) => ({ command: 1, path: 2, sessionId: 3, ...given }))
  const operator = fc.option(fc.oneof(wild, fc.record({ runId: fc.uuid(), agentType: text, model: text })), {
    nil: undefined,
    freq: 4,
  })
  const to = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        method: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...harmless) }, text),
        target: fc.oneof({ weight: 5, arbitrary: fc.constant(real) }, text),
        params: fc.oneof({ weight: 8, arbitrary: params }, wild),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        method: fc.constantFrom(...all),
        target: fc.constantFrom(...others),
        params: fc.oneof({ weight: 8, arbitrary: params }, wild),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ method: fc.constantFrom(...all), target: fc.constant(real), params: textless }),
    },
  )
  const rest = fc.record({
    callId: fc.oneof({ weight: 5, arbitrary: fc.uuid() }, text),
    deadlineMs: fc.option(fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.double()), { nil: undefined }),
    operator,
    under: fc.option(wild, { nil: undefined, freq: 6 }),
    approval: fc.option(fc.record({ ask: fc.boolean(), approvalId: text }), { nil: undefined, freq: 6 }),
  })
  return fc.tuple(to, rest).map(([where, how]) => ({ ...where, ...how }))
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
  assertClean(text, shown)
}

function assertClean(text: string, shown = text.slice(0, 500)): void {
  if (text.includes('"code":"server"')) expect.fail(`a fault: ${shown}`)
  if (/\n\s+at \S+ \(|node_modules/.test(text)) expect.fail(`a stack: ${shown}`)
  if (text.includes(CANARY)) expect.fail(`of another fleet: ${shown}`)
}
