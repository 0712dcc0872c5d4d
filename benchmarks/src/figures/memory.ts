import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '@cmdop/core'
import type { Figure, Measurement } from '../figure.ts'
import { Child } from '../processes/child.ts'
import type { MemoryMessage } from '../processes/messages.ts'
import { inKilobytes, inMegabytes } from '../statistics.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { type RelayChild, startRelayProcess } from '../world.ts'

const CONNECTIONS = 5000
/** Connected before the first reading, so that code and pools that are needed once are not counted. */
const WARM_UP = 500

const BOUND_BYTES = 15_000

/** Open files of relay and fakes: a socket for each connection, and some more. */
const OPEN_FILES = 20_000

/** Milliseconds after which every idle connection has been pinged, and its life sign was written. */
const SETTLE_MS = 25_000

/** What the relay keeps for a machine that is connected and does nothing. */
export const memoryFigure: Figure = {
  id: 'memory',
  title: `Memory of the relay per idle machine, ${CONNECTIONS} connections`,
  async measure(progress) {
    await using opened = new AsyncDisposableStack()
    const folder = opened.use(await temporaryFolder())
    const dataDir = join(folder.path, 'relay')
    progress(`enrolling ${CONNECTIONS + WARM_UP} machines`)
    const { fakes, key } = await startFakes(dataDir)
    opened.use(fakes)
    // Started anew, so that what enrolling left in its heap does not hide what connections add.
    const relay = { ...(await startRelayProcess(dataDir, { openFiles: OPEN_FILES })), key }
    opened.use(relay.child)
    const before = await readAfter(WARM_UP, { relay, fakes, progress })
    const after = await readAfter(CONNECTIONS, { relay, fakes, progress })
    const connected = await countConnected(relay)
    if (connected !== CONNECTIONS + WARM_UP) throw new Error(`Only ${connected} machines are connected.`)
    return report(before, after)
  },
}

async function startFakes(dataDir: string): Promise<{ fakes: Child; key: string }> {
  await using opened = new AsyncDisposableStack()
  const relay = await startRelayProcess(dataDir)
  opened.use(relay.child)
  const client = opened.use(new Client({ baseUrl: relay.url, token: relay.key }))
  const { rawToken } = await client.enrollmentTokens.issue({ maxUses: CONNECTIONS + WARM_UP })
  const { child } = await Child.start({
    entry: 'idle-machines-process.ts',
    arguments: [relay.url, rawToken, String(CONNECTIONS + WARM_UP)],
    openFiles: OPEN_FILES,
  })
  return { fakes: child, key: relay.key }
}

/** What the relay itself says. */
async function countConnected({ url, key }: RelayChild): Promise<number> {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${key}` } })
  return Number(/^cmdop_machines_connected (\d+)$/m.exec(await answer.text())?.[1])
}

interface Reading {
  readonly relay: RelayChild
  readonly fakes: Child
  readonly progress: (message: string) => void
}

async function readAfter(count: number, { relay, fakes, progress }: Reading): Promise<MemoryMessage> {
  await fakes.ask({ type: 'connect', url: relay.url, count })
  progress(`${count} machines connected; waiting until all are idle`)
  await sleep(SETTLE_MS)
  return relay.child.ask<MemoryMessage>({ type: 'memory' })
}

function report(before: MemoryMessage, after: MemoryMessage): Measurement {
  const per = (name: 'rss' | 'heapUsed' | 'external') => (after[name] - before[name]) / CONNECTIONS
  const stated = { peer: '', ratio: '', bound: '', met: undefined }
  return {
    rows: [
      {
        what: 'resident memory per connection',
        ours: inKilobytes(per('rss')),
        peer: '',
        ratio: '',
        bound: `at most ${inKilobytes(BOUND_BYTES)}`,
        met: per('rss') <= BOUND_BYTES,
      },
      { what: 'of it JavaScript heap', ours: inKilobytes(per('heapUsed')), ...stated },
      { what: 'of it external to the heap', ours: inKilobytes(per('external')), ...stated },
      { what: 'the whole relay before', ours: inMegabytes(before.rss), ...stated },
      { what: 'the whole relay after', ours: inMegabytes(after.rss), ...stated },
    ],
    notes: [
      `Resident memory of the relay's process after a full garbage collection, with ${WARM_UP} and with ${WARM_UP + CONNECTIONS} machines; the difference over ${CONNECTIONS}.`,
      `The machines are fakes in another process: enrolled over REST, each with a key of its own, they prove themselves, answer pings and do nothing. Read ${SETTLE_MS / 1000} s after the last one connected, when each was pinged.`,
      `The relay was started anew after the enrolments. The limit of open files was raised to ${OPEN_FILES} for both processes (\`ulimit -n\`). Memory of the kernel's sockets is not in it.`,
    ],
  }
}
