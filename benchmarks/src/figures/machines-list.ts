import { join } from 'node:path'
import { Client } from '@cmdop/core'
import type { Figure, Measurement, Row } from '../figure.ts'
import { Child } from '../processes/child.ts'
import { distributionOf, inMilliseconds, timed } from '../statistics.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { type RelayChild, startRelayProcess } from '../world.ts'

const MACHINES = 10_000
/** Connected of them; the others have enrolled and are away. */
const CONNECTED = 2000
const PAGE = 100
const CALLS = 500
const WARM_UP = 500

/** Milliseconds. */
const BOUND_MS = 5

const OPEN_FILES = 20_000

/** A page of a large fleet. */
export const machinesListFigure: Figure = {
  id: 'machines-list',
  title: `machines.list over ${MACHINES.toLocaleString('en')} machines, a page of ${PAGE}`,
  async measure(progress) {
    await using opened = new AsyncDisposableStack()
    const folder = opened.use(await temporaryFolder())
    const relay = await startRelayProcess(join(folder.path, 'relay'), { openFiles: OPEN_FILES })
    opened.use(relay.child)
    const client = opened.use(new Client({ baseUrl: relay.url, token: relay.key }))
    progress(`enrolling ${MACHINES} machines, connecting ${CONNECTED}`)
    opened.use(await startMachines(relay, client))
    progress('listing')
    return await report(client)
  },
}

async function startMachines({ url }: RelayChild, client: Client): Promise<Child> {
  const { rawToken } = await client.enrollmentTokens.issue({ maxUses: MACHINES })
  const { child } = await Child.start({
    entry: 'idle-machines-process.ts',
    arguments: [url, rawToken, String(MACHINES)],
    openFiles: OPEN_FILES,
  })
  await child.ask({ type: 'connect', url, count: CONNECTED })
  return child
}

async function report(client: Client): Promise<Measurement> {
  const middle = await pageAfter(client, MACHINES / 2)
  const bounded = [
    await measured(client, 'the first page', {}),
    await measured(client, 'a page in the middle, by its cursor', { cursor: middle }),
  ]
  const stated = [
    await measured(client, 'a page of those that are online', { presence: 'online' }, false),
    await measured(client, 'a page of those whose name has a part (`q`)', { q: '77' }, false),
  ]
  return {
    rows: [...bounded, ...stated],
    notes: [
      `p50 (p90, p99) of ${CALLS} calls one after the other, after ${WARM_UP} to warm up, each from the call of \`client.machines.list\` until its page is there as objects: HTTP, authentication, the store, presence, JSON, and the check of every field by its schema, on both sides.`,
      `SQLite, one relay in a process of its own; ${MACHINES.toLocaleString('en')} machines have enrolled, each with a key of its own, and ${CONNECTED.toLocaleString('en')} are connected.`,
    ],
  }
}

/** The cursor after so many machines. */
async function pageAfter(client: Client, count: number): Promise<string> {
  let seen = 0
  for await (const { items, nextCursor } of client.machines.pages({ limit: 500 })) {
    seen += items.length
    if (seen >= count && nextCursor !== null) return nextCursor
  }
  throw new Error(`There are fewer than ${count} machines.`)
}

async function measured(
  client: Client,
  what: string,
  query: Parameters<Client['machines']['list']>[0],
  isBounded = true,
): Promise<Row> {
  const list = async () => {
    const { items } = await client.machines.list({ limit: PAGE, ...query })
    if (items.length !== PAGE) throw new Error(`Expected ${PAGE} machines, got ${items.length}.`)
  }
  for (let count = 0; count < WARM_UP; count += 1) await list()
  const times: number[] = []
  for (let count = 0; count < CALLS; count += 1) times.push(await timed(list))
  const { p50, p90, p99 } = distributionOf(times)
  const ours = `${inMilliseconds(p50)} (${inMilliseconds(p90)}, ${inMilliseconds(p99)})`
  const nothing = { peer: '', ratio: '' }
  if (!isBounded) return { what, ours, ...nothing, bound: '', met: undefined }
  return { what, ours, ...nothing, bound: `at most ${inMilliseconds(BOUND_MS)}`, met: p50 <= BOUND_MS }
}
