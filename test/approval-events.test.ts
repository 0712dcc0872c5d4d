import type { ApprovalEvent, Client } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCli } from './processes/cli.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

type Watched = ApprovalEvent & { id: string }

let world: World
beforeAll(async () => {
  world = await startWorld({ relay: { heartbeatMs: 50 } })
})
afterAll(() => world[Symbol.asyncDispose]())

async function ask(client = world.client): Promise<string> {
  const actions = [{ machineId: world.machine.id, method: 'exec', params: { command: 'echo done' } }]
  return (await client.approvals.request({ title: 'Say it', actions })).id
}

/** Watches in the background, until it is stopped. */
function watching(client: Client, lastEventId?: string) {
  const stop = new AbortController()
  const events: Watched[] = []
  const options = { signal: stop.signal, ...(lastEventId === undefined ? {} : { lastEventId }) }
  const run = async () => {
    for await (const event of client.approvals.watch(options)) events.push(event)
  }
  const ended = run().catch((error: unknown) => error)
  const seen = (id: string) => events.filter(({ approval }) => approval.id === id).map(({ state }) => state)
  return { events, seen, ended, stop: () => stop.abort() }
}

describe('watching approvals', () => {
  test('tells what is pending, then each state once and in order, and ends with its signal', async () => {
    const before = await ask()
    const over = await ask()
    await world.client.approvals.deny(over)
    const watched = watching(world.client)
    await waitFor('what is pending is told', () => watched.seen(before).length === 1)
    const after = await ask()
    await world.client.approvals.deny(after)
    await world.client.approvals.withdraw(before)
    await waitFor('all is told', () => watched.seen(before).includes('void'))
    expect(watched.seen(before)).toEqual(['pending', 'void'])
    expect(watched.seen(after)).toEqual(['pending', 'denied'])
    expect(watched.seen(over)).toEqual([])
    expect(watched.events.at(-1)).toMatchObject({ approval: { id: before, title: 'Say it', actionCount: 1 } })
    watched.stop()
    expect(await watched.ended).toMatchObject({ code: 'cancelled' })
  })

  test('goes on after the last event that was seen, without loss or repetition', async () => {
    const first = watching(world.client)
    const seenId = await ask()
    await waitFor('it is told', () => first.seen(seenId).length === 1)
    first.stop()
    await first.ended
    const last = first.events.at(-1)?.id ?? ''
    const missed = await ask()
    await world.client.approvals.deny(missed)
    await world.client.approvals.deny(seenId)
    const second = watching(world.client, last)
    await waitFor('all is told', () => second.seen(seenId).length === 1)
    expect(second.events.map(({ approval, state }) => [approval.id, state])).toEqual([
      [missed, 'pending'],
      [missed, 'denied'],
      [seenId, 'denied'],
    ])
    second.stop()
    await second.ended
  })

  test('outlives a restart of the relay', async () => {
    await using own = await startWorld()
    const actions = [{ machineId: own.machine.id, method: 'exec', params: { command: 'echo done' } }]
    const watched = watching(own.client)
    const { id } = await own.client.approvals.request({ title: 'Say it', actions })
    await waitFor('it is told', () => watched.seen(id).length === 1)
    await own.relay.restart()
    await own.client.approvals.deny(id)
    await waitFor('the end is told', () => watched.seen(id).length === 2)
    expect(watched.seen(id)).toEqual(['pending', 'denied'])
    watched.stop()
    await watched.ended
  })

  test('ends with its key', async () => {
    const issued = await world.client.keys.issue({ name: 'short', kind: 'human', role: 'viewer' })
    const watched = watching(world.connect({ token: issued.rawToken }))
    const id = await ask()
    await waitFor('it is told', () => watched.seen(id).length === 1)
    await world.client.keys.revoke(issued.id)
    expect(await watched.ended).toMatchObject({ code: 'auth' })
  })

  test('shows that it lives, and takes no strange place to go on from', async () => {
    const headers = { authorization: `Bearer ${world.relay.firstKey}` }
    const url = `${world.relay.url}/api/approvals/events`
    const answer = await fetch(url, { headers })
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    const decoder = new TextDecoder()
    let text = ''
    for await (const bytes of answer.body ?? []) {
      text += decoder.decode(bytes)
      if (/^:\n\n/m.test(text)) break
    }
    const strange = await fetch(url, { headers: { ...headers, 'last-event-id': 'x.1' } })
    expect(strange.status).toBe(422)
    expect((await fetch(url)).status).toBe(401)
  })
})

test('cmdop approvals watch prints each question and its end', async () => {
  const env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
  const running = startCli(['approvals', 'watch', '--json'], env)
  const id = await ask()
  const lines = () =>
    running
      .stdout()
      .split('\n')
      .filter((line) => line.includes(id))
  await waitFor('the question is printed', () => lines().length === 1)
  await world.client.approvals.deny(id)
  await waitFor('its end is printed', () => lines().length === 2)
  expect(lines().map((line) => JSON.parse(line).state)).toEqual(['pending', 'denied'])
  running.child.kill('SIGINT')
  expect((await running.done).code).toBe(130)
})
