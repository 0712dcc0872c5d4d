import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Machine } from '@cmdop/core'
import { type Figure, type Measurement, notMeasured, type Row } from '../figure.ts'
import { missingPackages } from '../peers/programs.ts'
import { runProgram } from '../peers/run.ts'
import { type OpenSsh, startOpenSsh } from '../peers/sshd.ts'
import { asRatio, type Distribution, distributionOf, inMilliseconds, timed } from '../statistics.ts'
import { startWorld } from '../world.ts'

const ROUNDS = 20
const PER_ROUND = 25
const WARM_UP_ROUNDS = 20

/** At least so many times faster than OpenSSH. */
const FASTER_THAN_SSH = 3
/** At most so many milliseconds more than a process of one's own. */
const OVER_SPAWN_MS = 2

const PEERS = ['ssh', 'ssh-keygen', 'sshd'] as const

/** One command on a warm connection, from the call to its result. */
export const execFigure: Figure = {
  id: 'exec',
  title: 'Warm `exec true`',
  async measure(progress) {
    await using opened = new AsyncDisposableStack()
    const { machine } = opened.use(await startWorld())
    const missing = missingPackages(PEERS)
    const ssh = missing.length > 0 ? undefined : opened.use(await startOpenSsh())
    const times = await measureRounds(machine, ssh, progress)
    return report(times, missing)
  },
}

type Times = Record<'spawn' | 'ours' | 'ssh', number[]>

async function measureRounds(
  machine: Machine,
  ssh: OpenSsh | undefined,
  progress: (message: string) => void,
): Promise<Times> {
  const times: Times = { spawn: [], ours: [], ssh: [] }
  const actions = {
    spawn: () => once(spawn('true'), 'close'),
    ours: () => execTrue(machine),
    ...(ssh === undefined ? {} : { ssh: () => runProgram(ssh.ssh, [...ssh.direct, 'true']) }),
  }
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    if (round >= 0 && round % 5 === 0) progress(`round ${round} of ${ROUNDS}`)
    for (const [name, action] of Object.entries(actions)) {
      for (let count = 0; count < PER_ROUND; count += 1) {
        const milliseconds = await timed(action)
        if (round >= 0) times[name as keyof Times].push(milliseconds)
      }
    }
  }
  return times
}

async function execTrue(machine: Machine): Promise<void> {
  const { exitCode } = await machine.exec(['true'])
  if (exitCode !== 0) throw new Error(`Expected true to exit with 0, got ${exitCode}.`)
}

function report(times: Times, missing: readonly string[]): Measurement {
  const [spawned, ours, ssh] = [distributionOf(times.spawn), distributionOf(times.ours), distributionOf(times.ssh)]
  const over = ours.p50 - spawned.p50
  const overSpawn: Row = {
    what: 'p50 over a local spawn',
    ours: inMilliseconds(over),
    peer: `spawn: ${inMilliseconds(spawned.p50)}`,
    ratio: asRatio(ours.p50 / spawned.p50),
    bound: `at most ${OVER_SPAWN_MS} ms more`,
    met: over <= OVER_SPAWN_MS,
  }
  const tails = (['p90', 'p99'] as const).map((point) => tail(point, { spawned, ours, ssh }))
  return {
    rows: [againstSsh(ours, ssh), overSpawn, ...tails],
    missing,
    notes: [
      `${ours.count} of each, in ${ROUNDS} alternating rounds of ${PER_ROUND}, after a warm-up.`,
      'ours: `await machine.exec(["true"])`: client, relay and machine are separate processes; permit, audit rows on disk and journal included.',
      'peer: `ssh -S <socket> target true` over a ControlMaster to a loopback sshd, from spawn to exit; the login shell has an empty home, so no start-up file slows it.',
      'local spawn: `child_process.spawn("true")` to its `close` event, in the process of our client.',
    ],
  }
}

function againstSsh(ours: Distribution, ssh: Distribution): Row {
  const what = 'p50 against ssh over ControlMaster'
  const bound = `at least ${FASTER_THAN_SSH} × faster`
  if (ssh.count === 0) return notMeasured(what, bound, 'OpenSSH is missing')
  const ratio = ssh.p50 / ours.p50
  return {
    what,
    ours: inMilliseconds(ours.p50),
    peer: `ssh: ${inMilliseconds(ssh.p50)}`,
    ratio: asRatio(ratio),
    bound,
    met: ratio >= FASTER_THAN_SSH,
  }
}

function tail(point: 'p90' | 'p99', all: Record<'spawned' | 'ours' | 'ssh', Distribution>): Row {
  const { spawned, ours, ssh } = all
  const peer = ssh.count === 0 ? '' : `ssh: ${inMilliseconds(ssh[point])}, `
  return {
    what: point,
    ours: inMilliseconds(ours[point]),
    peer: `${peer}spawn: ${inMilliseconds(spawned[point])}`,
    ratio: ssh.count === 0 ? '' : asRatio(ssh[point] / ours[point]),
    bound: '',
    met: undefined,
  }
}
