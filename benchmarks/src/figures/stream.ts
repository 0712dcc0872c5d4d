import type { Machine } from '@cmdop/core'
import { type Figure, type Measurement, notMeasured, type Row } from '../figure.ts'
import { missingPackages } from '../peers/programs.ts'
import { countOutput } from '../peers/run.ts'
import { type OpenSsh, startOpenSsh } from '../peers/sshd.ts'
import { asRatio, medianOf, timed } from '../statistics.ts'
import { startWorld } from '../world.ts'

const BYTES = 256 * 1024 * 1024
const COMMAND = ['head', '-c', '256M', '/dev/zero'] as const

const ROUNDS = 7
const WARM_UP_ROUNDS = 2
const PEERS = ['ssh', 'ssh-keygen', 'sshd'] as const

/** Output of one command at full speed, counted where it arrives. */
export const streamFigure: Figure = {
  id: 'stream',
  title: '256 MB of output',
  async measure(progress) {
    await using opened = new AsyncDisposableStack()
    const { machine } = opened.use(await startWorld())
    const missing = missingPackages(PEERS)
    const ssh = missing.length > 0 ? undefined : opened.use(await startOpenSsh())
    return report(await measureRounds(machine, ssh, progress), missing)
  },
}

type Way = 'jumped' | 'whole' | 'direct'
type Times = Record<'ours' | Way, number[]>

async function measureRounds(
  machine: Machine,
  ssh: OpenSsh | undefined,
  progress: (message: string) => void,
): Promise<Times> {
  const times: Times = { ours: [], jumped: [], whole: [], direct: [] }
  const overSsh = (way: Way) => ssh && (() => countOutput(ssh.ssh, [...ssh[way], ...COMMAND]))
  const ways = { jumped: overSsh('jumped'), whole: overSsh('whole'), direct: overSsh('direct') }
  const actions = { ours: () => countExec(machine), ...ways }
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    progress(round < 0 ? 'warming up' : `round ${round} of ${ROUNDS}`)
    for (const [name, action] of Object.entries(actions)) {
      if (action === undefined) continue
      const milliseconds = await timed(() => complete(action))
      if (round >= 0) times[name as keyof Times].push(milliseconds)
    }
  }
  return times
}

async function complete(action: () => Promise<number>): Promise<void> {
  const bytes = await action()
  if (bytes !== BYTES) throw new Error(`Expected ${BYTES} bytes of output, got ${bytes}.`)
}

async function countExec(machine: Machine): Promise<number> {
  let bytes = 0
  for await (const { data } of machine.exec(COMMAND)) bytes += data.length
  return bytes
}

function report(times: Times, missing: readonly string[]): Measurement {
  return {
    rows: [
      compare(times, 'whole', 'ssh -J'),
      compare(times, 'jumped', 'ssh -J over ControlMaster'),
      compare(times, 'direct', 'ssh -T over ControlMaster'),
    ],
    missing,
    notes: [
      `Medians of ${ROUNDS} alternating rounds, after ${WARM_UP_ROUNDS} to warm up; every byte is counted in the client's process.`,
      `ours: \`for await (... of machine.exec(${JSON.stringify(COMMAND)}))\`: machine, relay and client, two hops.`,
      'ssh -J: one jump host, two sshd on loopback, its output read from a pipe. Over a ControlMaster its handshakes are not counted: about even with ours, which the ratio states.',
      'ssh -T: the same without the jump host: one hop.',
      'ssh encrypts; on loopback the relay does not.',
    ],
  }
}

function compare(times: Times, way: Way, what: string): Row {
  // The bound is against the command as a person gives it; without its handshakes it is stated.
  const bound = way === 'whole' ? 'not slower' : ''
  if (times[way].length === 0) return notMeasured(`against ${what}`, bound, 'OpenSSH is missing')
  const [ours, peer] = [medianOf(times.ours), medianOf(times[way])]
  return {
    what: `against ${what}`,
    ours: speed(ours),
    peer: `ssh: ${speed(peer)}`,
    ratio: asRatio(peer / ours),
    bound,
    met: bound === '' ? undefined : ours <= peer,
  }
}

function speed(milliseconds: number): string {
  return `${(BYTES / 1000 / milliseconds).toFixed(0)} MB/s`
}
