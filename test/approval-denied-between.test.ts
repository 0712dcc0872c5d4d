import { access } from 'node:fs/promises'
import { type Bus, createMemoryBus } from '@cmdop/relay'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

/** A bus that is slow where a test wants it: it takes the next word about an approval, and goes on when it may. */
function createSlowBus() {
  const bus = createMemoryBus()
  let next: { taken: () => void; goOn: Promise<void> } | undefined
  const publish: Bus['publish'] = async (message) => {
    const held = message.type === 'approval-changed' ? next : undefined
    if (held !== undefined) {
      next = undefined
      held.taken()
      await held.goOn
    }
    await bus.publish(message)
  }
  const holdNext = () => {
    const [taken, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    next = { taken: taken.resolve, goOn: goOn.promise }
    return { taken: taken.promise, goOn: goOn.resolve }
  }
  return { bus: { ...bus, publish } satisfies Bus, holdNext }
}

const { bus, holdNext } = createSlowBus()
let world: World
beforeAll(async () => {
  world = await startWorld({ ports: { bus } })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await bus[Symbol.asyncDispose]()
})

/** An approved call whose use is written down, and that is not yet sent to its machine. */
async function callBetween(callId: string) {
  const file = `${await world.folder()}/ran`
  const abort = new AbortController()
  const send = (signal?: AbortSignal) =>
    world.handle.exec(['touch', file], { callId, approval: { ask: true }, ...(signal && { signal }) }).then(
      () => undefined,
      (error: unknown) => error,
    )
  const refused = await send()
  expect(refused).toMatchObject({ code: 'approval_required' })
  const { approvalId } = (refused as { details: { approvalId: string } }).details
  const { planDigest } = await world.client.approvals.get(approvalId)
  await world.client.approvals.approve(approvalId, { planDigest })
  const use = holdNext()
  const outcome = send(abort.signal)
  await use.taken
  expect(await world.client.approvals.get(approvalId)).toMatchObject({ state: 'executing' })
  return { approvalId, outcome, file, send, abort, goOn: use.goOn }
}

const tooLate = { code: 'conflict', message: expect.stringContaining('should nothing have begun, nothing will') }

async function whenDenied(approvalId: string): Promise<void> {
  const info = await waitFor('it is denied', async () => {
    const found = await world.client.approvals.get(approvalId)
    return found.state === 'denied' ? found : undefined
  })
  expect(info).toMatchObject({ doNotRetry: true, votes: [{ vote: 'deny', reason: 'Stop.' }] })
}

test('A denial that comes while a call is between its use and its machine wins: nothing runs', async () => {
  const { approvalId, outcome, file, send, goOn } = await callBetween('call_between')
  await expect(world.client.approvals.deny(approvalId, { reason: 'Stop.' })).rejects.toMatchObject(tooLate)
  goOn()
  expect(await outcome).toMatchObject({ code: 'approval_denied', message: expect.stringContaining('Stop.') })
  await whenDenied(approvalId)
  expect(await send()).toMatchObject({ code: 'approval_denied' })
  await expect(access(file)).rejects.toThrow('ENOENT')
})

test('It wins also where the caller gives up meanwhile, and comes again', async () => {
  const { approvalId, outcome, file, send, abort, goOn } = await callBetween('call_given_up')
  await expect(world.client.approvals.deny(approvalId, { reason: 'Stop.' })).rejects.toMatchObject(tooLate)
  abort.abort()
  goOn()
  await outcome
  await whenDenied(approvalId)
  expect(await send()).toMatchObject({ code: 'approval_denied' })
  await expect(access(file)).rejects.toThrow('ENOENT')
})

test('A call that is sent twice at once uses its approval once, and the second changes nothing of it', async () => {
  const { approvalId, outcome, file, send, goOn } = await callBetween('call_twice')
  const again = send()
  goOn()
  const errors = (await Promise.all([outcome, again])).filter((error) => error !== undefined)
  for (const error of errors) expect(error).toMatchObject({ code: 'approval_void' })
  expect(errors.length).toBeLessThan(2)
  await waitFor('it is done', async () => (await world.client.approvals.get(approvalId)).state === 'done')
  await access(file)
})
