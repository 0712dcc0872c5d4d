import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '@cmdop/core'
import { isCmdopError } from '@cmdop/protocol'
import { createFleet } from '@cmdop/fleet'
import { type Figure, type Measurement, notMeasured, type Row } from '../figure.ts'
import { missingPackages } from '../peers/programs.ts'
import { type SshFleet, startSshFleet } from '../peers/ssh-fleet.ts'
import { Child } from '../processes/child.ts'
import { asRatio, inMilliseconds, medianOf, timed } from '../statistics.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { startRelayProcess } from '../world.ts'

const MACHINES = 200
const SOME = 50
const FAN_OUT = 32
const COMMAND = 'uptime'

/** Processes that the daemons are packed in, and as many start programs for the floor. */
const PROCESSES = 4

const ROUNDS = 15
const WARM_UP_ROUNDS = 15

/** Peers take seconds: fewer rounds of them. */
const PEER_ROUNDS = 3

/** Milliseconds after a run in which its machines send their recordings and put results away. */
const SETTLE_MS = 3000

const OVER_FLOOR = 1.2
const PING_MS = 20

const PEERS = ['ssh', 'ssh-keygen', 'sshd', 'clush', 'parallel-ssh', 'ansible'] as const

/** One command over a fleet, beside the tools that people use for it and beside the least that it can take. */
export const fleetFigure: Figure = {
  id: 'fleet',
  title: `\`${COMMAND}\` on ${MACHINES} machines, fan-out ${FAN_OUT}`,
  async measure(progress) {
    await using opened = new AsyncDisposableStack()
    const { client, floor } = await startFleet(opened, progress)
    const missing = missingPackages(PEERS)
    progress('connecting a master to each of the hosts')
    const peers =
      missing.length > 0 ? undefined : opened.use(await startSshFleet(MACHINES, { command: COMMAND, fanOut: FAN_OUT }))
    const times = await measureRounds({ client, floor, peers }, progress)
    return report(times, missing)
  },
}

interface Contestants {
  readonly client: Client
  readonly floor: () => Promise<unknown>
  readonly peers: SshFleet | undefined
}

async function startFleet(
  opened: AsyncDisposableStack,
  progress: (message: string) => void,
): Promise<Omit<Contestants, 'peers'>> {
  const folder = opened.use(await temporaryFolder())
  const relay = await startRelayProcess(join(folder.path, 'relay'))
  opened.use(relay.child)
  const client = opened.use(new Client({ baseUrl: relay.url, token: relay.key }))
  const { rawToken } = await client.enrollmentTokens.issue({ maxUses: MACHINES })
  progress(`starting ${MACHINES} daemons`)
  const each = MACHINES / PROCESSES
  const spawning: Child[] = []
  for (let index = 0; index < PROCESSES; index += 1) {
    const args = [join(folder.path, 'machines'), relay.url, rawToken, String(index * each), String(each)]
    opened.use((await Child.start({ entry: 'machines-process.ts', arguments: args })).child)
    const { child } = await Child.start({ entry: 'spawns-process.ts' })
    spawning.push(opened.use(child))
  }
  const question = { type: 'spawn', argv: [COMMAND], count: each, atOnce: FAN_OUT / PROCESSES } as const
  return { client, floor: () => Promise.all(spawning.map((child) => child.ask(question))) }
}

/** The first of them, by name. */
const FEW = Array.from({ length: SOME }, (_, index) => `bench-${String(index).padStart(4, '0')}`)

type Times = Record<string, number[]>

async function measureRounds(
  { client, floor, peers }: Contestants,
  progress: (message: string) => void,
): Promise<Times> {
  const times: Times = {}
  const ids = (await Array.fromAsync(client.machines.iter({ limit: 500 }))).map(({ id }) => id)
  const actions = {
    floor,
    ours: () => onAll(client, '*', MACHINES),
    ping: () => pingAll(client, ids),
    call: () => callAll(client, ids),
    few: () => onAll(client, FEW, SOME),
  }
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    progress(round < 0 ? `warm-up, ${-round} to go` : `round ${round} of ${ROUNDS}`)
    for (const [name, action] of Object.entries(actions)) {
      await sleep(round < 0 ? 0 : SETTLE_MS)
      const milliseconds = await timed(action)
      if (round >= 0) (times[name] ??= []).push(milliseconds)
    }
  }
  for (const [name, way] of Object.entries(peers?.ways ?? {})) {
    await way(MACHINES)
    for (let round = 0; round < PEER_ROUNDS; round += 1) {
      progress(`${name}, round ${round} of ${PEER_ROUNDS}`)
      ;(times[name] ??= []).push(await timed(() => way(MACHINES)))
    }
  }
  return times
}

async function onAll(client: Client, targets: string | string[], count: number): Promise<void> {
  const { rows } = await createFleet(client, targets).exec([COMMAND], { concurrency: FAN_OUT })
  const answered = rows.filter(
    ({ outcome, result }) => outcome === 'ok' && result?.stdout.includes('load average') === true,
  )
  if (answered.length !== count) throw new Error(`${answered.length} of ${count} machines answered.`)
}

async function pingAll(client: Client, ids: readonly string[]): Promise<void> {
  const answers = [...(await client.machines.ping(ids)).values()]
  if (answers.some((answer) => answer === null)) throw new Error('A machine did not answer.')
}

/** A call that each machine has to be permitted, and that does nothing there: it knows no such command. */
async function callAll(client: Client, ids: readonly string[]): Promise<void> {
  const asked = ids.map(async (id) => {
    const handle = client.handle({ id, name: id, hostname: id })
    const code = await handle.execResult(randomUUID()).then(
      () => 'known',
      (error: unknown) => (isCmdopError(error) ? error.code : 'fault'),
    )
    if (code !== 'not_found') throw new Error(`A machine answered ${code}.`)
  })
  await Promise.all(asked)
}

function report(times: Times, missing: readonly string[]): Measurement {
  const p50 = Object.fromEntries(Object.entries(times).map(([name, values]) => [name, medianOf(values)]))
  const { ours = Number.NaN, floor = Number.NaN, ping = Number.NaN, call = Number.NaN, few = Number.NaN } = p50
  const growth = ours / few
  const rows: Row[] = [
    ...(['ClusterShell', 'pssh', 'ansible -m raw'] as const).map((name) => againstPeer(name, ours, p50[name])),
    {
      what: `p50 against ${MACHINES} local spawns from ${PROCESSES} processes`,
      ours: inMilliseconds(ours),
      peer: `floor: ${inMilliseconds(floor)}`,
      ratio: asRatio(ours / floor),
      bound: `at most ${OVER_FLOOR} ×`,
      met: ours / floor <= OVER_FLOOR,
    },
    {
      what: `no-op dispatch and acknowledgement, ${MACHINES} machines, p50`,
      ours: inMilliseconds(ping),
      peer: '',
      ratio: '',
      bound: `at most ${PING_MS} ms`,
      met: ping <= PING_MS,
    },
    {
      what: 'the same with a permit and audit rows for each, p50',
      ours: inMilliseconds(call),
      peer: '',
      ratio: '',
      bound: '',
      met: undefined,
    },
    {
      what: `growth from ${SOME} to ${MACHINES} machines`,
      ours: inMilliseconds(ours),
      peer: `${SOME}: ${inMilliseconds(few)}`,
      ratio: asRatio(growth),
      bound: `at most ${MACHINES / SOME} ×`,
      met: growth <= MACHINES / SOME,
    },
  ]
  return { rows, missing, notes: NOTES }
}

function againstPeer(name: string, ours: number, theirs: number | undefined): Row {
  const what = `p50 against ${name}`
  if (theirs === undefined) return notMeasured(what, 'faster', `${name} is missing`)
  return {
    what,
    ours: inMilliseconds(ours),
    peer: `${name}: ${inMilliseconds(theirs)}`,
    ratio: asRatio(theirs / ours),
    bound: 'faster',
    met: ours < theirs,
  }
}

const NOTES = [
  `Medians of ${ROUNDS} alternating rounds after ${WARM_UP_ROUNDS} to warm up; of peers, of ${PEER_ROUNDS} after one. Before each measurement there are ${SETTLE_MS / 1000} s in which machines send recordings of the one before, and nothing else runs.`,
  `ours: \`fleet.exec(['${COMMAND}'], { concurrency: ${FAN_OUT} })\` from a script in a process of its own, with its ledger at the relay; ${MACHINES} real daemons, packed in ${PROCESSES} processes; permits, audit rows on disk and journals included. Recordings reach the relay after it.`,
  `floor: \`child_process.spawn('${COMMAND}')\` from ${PROCESSES} other processes, ${FAN_OUT} at once in all, with its output read.`,
  'peers: the same command over warm ControlMaster connections to one sshd on loopback, one master for each host, so that nothing is connected meanwhile.',
  'no-op: `client.machines.ping(ids)`: each daemon is asked for a sign of life over its connection and has answered; nothing is run, so that nothing is permitted or audited. The line below it is the way of every call: decided, written to the audit log, signed, checked by the machine, which then finds that it has nothing to do.',
]
