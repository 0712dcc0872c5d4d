import type { Machine } from '@cmdop/core'
import { type Figure, type Measurement, notMeasured, type Row } from '../figure.ts'
import { missingPackages } from '../peers/programs.ts'
import { type OpenSsh, startOpenSsh } from '../peers/sshd.ts'
import { asRatio, distributionOf, inMilliseconds, medianOf, timed } from '../statistics.ts'
import { measureKeystrokes } from '../terminal/keystrokes.ts'
import { openQuietShell, runInTerminal, startOurEcho } from '../terminal/our-terminal.ts'
import { runOverSsh, startSshEcho } from '../terminal/ssh-terminal.ts'
import { startWorld } from '../world.ts'

const KEYSTROKES = 120
const COMMAND = 'seq 1 2000000'
/** What a terminal shows of {@link COMMAND}: each line ends with two characters. */
const SHOWN = Buffer.from(Array.from({ length: 2_000_000 }, (_, index) => `${index + 1}\r\n`).join(''))
const ROUNDS = 7
const ATTACHES = 30
const EXECUTES = 300
const PEERS = ['ssh', 'ssh-keygen', 'sshd'] as const

/** Keystrokes, output, attaching and `execute` in a session. */
export const terminalFigure: Figure = {
  id: 'terminal',
  title: 'A session',
  async measure(progress) {
    await using opened = new AsyncDisposableStack()
    const { machine } = opened.use(await startWorld())
    const missing = missingPackages(PEERS)
    const ssh = missing.length > 0 ? undefined : opened.use(await startOpenSsh())
    progress('keystrokes')
    const echo = await measureEcho(machine, ssh)
    progress('output')
    const output = await measureOutput(machine, ssh)
    progress('attaching')
    const attach = await measureAttach(machine)
    progress('execute')
    return report([echo, output, attach, await measureExecute(machine)], missing)
  },
}

async function measureEcho(machine: Machine, ssh: OpenSsh | undefined): Promise<Row> {
  const [what, bound] = ['keystroke to its echo, p50, against ssh -tt', 'at most 0.5 ms more']
  await using ours = await startOurEcho(await openQuietShell(machine))
  if (ssh === undefined) return notMeasured(what, bound, 'OpenSSH is missing')
  await using theirs = await startSshEcho(ssh)
  const times = { ours: [] as number[], ssh: [] as number[] }
  for (let round = -2; round < ROUNDS; round += 1) {
    const [own, other] = [await measureKeystrokes(ours, KEYSTROKES), await measureKeystrokes(theirs, KEYSTROKES)]
    if (round >= 0) times.ours.push(...own)
    if (round >= 0) times.ssh.push(...other)
  }
  const [own, other] = [distributionOf(times.ours).p50, distributionOf(times.ssh).p50]
  return {
    what,
    ours: inMilliseconds(own),
    peer: `ssh: ${inMilliseconds(other)}`,
    ratio: asRatio(own / other),
    bound,
    met: own - other <= 0.5,
  }
}

async function measureOutput(machine: Machine, ssh: OpenSsh | undefined): Promise<Row> {
  const [what, bound] = [`\`${COMMAND}\`, against ssh -tt`, 'not slower, byte-exact']
  const session = await openQuietShell(machine)
  const attachment = await session.attach()
  await runInTerminal(attachment, 'stty -echo')
  if (ssh === undefined) return notMeasured(what, bound, 'OpenSSH is missing')
  const times = { ours: [] as number[], ssh: [] as number[] }
  for (let round = -2; round < ROUNDS; round += 1) {
    const own = await timed(async () => assertShown(await runInTerminal(attachment, COMMAND)))
    const other = await timed(async () => assertShown(await runOverSsh(ssh, COMMAND)))
    if (round >= 0) times.ours.push(own)
    if (round >= 0) times.ssh.push(other)
  }
  await session.close()
  const [own, other] = [medianOf(times.ours), medianOf(times.ssh)]
  const speed = (milliseconds: number) => `${(SHOWN.length / 1000 / milliseconds).toFixed(0)} MB/s`
  return { what, ours: speed(own), peer: `ssh: ${speed(other)}`, ratio: asRatio(other / own), bound, met: own <= other }
}

function assertShown(output: Buffer): void {
  if (!output.includes(SHOWN)) throw new Error(`Expected all ${SHOWN.length} bytes, got others (${output.length}).`)
}

async function measureAttach(machine: Machine): Promise<Row> {
  const session = await openQuietShell(machine)
  const first = await session.attach()
  await runInTerminal(first, COMMAND)
  const times: number[] = []
  for (let count = 0; count < ATTACHES; count += 1) {
    times.push(
      await timed(async () => {
        await using attachment = await session.observe()
        for await (const event of attachment) if (event.type === 'snapshot') break
      }),
    )
  }
  await session.close()
  return alone('attach to 17 MB of history, to a full screen, p50', times, 50)
}

async function measureExecute(machine: Machine): Promise<Row> {
  if (machine.sessions === undefined) throw new Error('Expected a machine with sessions.')
  const session = await machine.sessions.open({ shell: 'bash' })
  const times: number[] = []
  for (let count = -EXECUTES / 3; count < EXECUTES; count += 1) {
    const milliseconds = await timed(async () => await session.execute('true'))
    if (count >= 0) times.push(milliseconds)
  }
  await session.close()
  return alone("`session.execute('true')` in bash, p50", times, 5)
}

function alone(what: string, times: readonly number[], atMost: number): Row {
  const p50 = distributionOf(times).p50
  return { what, ours: inMilliseconds(p50), peer: '', ratio: '', bound: `at most ${atMost} ms`, met: p50 <= atMost }
}

function report(rows: readonly Row[], missing: readonly string[]): Measurement {
  return {
    rows,
    missing,
    notes: [
      'ours: client, relay and machine are separate processes, two hops; recorded as every session is.',
      'ssh -tt: one hop over a ControlMaster to a loopback sshd, its input and output read from pipes.',
      `Keystrokes: \`cat\` in a terminal, one character at a time, ${KEYSTROKES} of each in ${ROUNDS} alternating rounds.`,
      `Output: medians of ${ROUNDS} alternating rounds, from the command being sent to its last byte, ${SHOWN.length} bytes, compared.`,
    ],
  }
}
