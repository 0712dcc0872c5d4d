import { join } from 'node:path'
import { type Figure, notMeasured, type Row } from '../figure.ts'
import { missingPackages } from '../peers/programs.ts'
import { type HostMemory, measureHostMemory } from '../sandbox/host-memory.ts'
import { Bench } from '../sandbox/in-process.ts'
import { CHANGED_FILES, measureLargeEffect } from '../sandbox/large-effect.ts'
import { measureCommands, measureSessions } from '../sandbox/over-relay.ts'
import { asRatio, inMegabytes, inMilliseconds, medianOf } from '../statistics.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { startWorld } from '../world.ts'

/** Milliseconds that a command in a running session, and one under `noDelete`, may take more than without. */
const ADDED_MS = { running: 1, noDelete: 15 }
const ONE_SHOT_MS = 25
const LARGE_EFFECT_MS = 500
const HOST_BYTES = 45e6

/** What restrictions cost: with the package alone, and through relay and machine. */
export const sandboxFigure: Figure = {
  id: 'sandbox',
  title: 'Restrictions',
  async measure(progress) {
    await using folder = await temporaryFolder()
    const alone = await measureAlone(folder.path, progress)
    progress('the same over relay and machine: commands in sessions')
    await using world = await startWorld()
    const sessions = await measureSessions(world.machine)
    progress('commands of their own')
    const commands = await measureCommands(world.machine, join(folder.path, 'over-relay'))
    return {
      rows: [...alone, ...sessionRows(sessions), ...commandRows('machine.exec', commands)],
      missing: missingPackages(['bwrap']),
      notes,
    }
  },
}

async function measureAlone(folder: string, progress: (message: string) => void): Promise<Row[]> {
  await using bench = await Bench.open(folder)
  // At first, while there is one host.
  progress('memory')
  const memory = await measureHostMemory(bench)
  progress('commands in sandboxes that run')
  const running = await bench.measureRunning()
  progress('one-shots that write')
  const writing = await bench.measureWriting()
  progress('one-shots that look')
  const looking = await bench.measureLooking()
  progress(`${CHANGED_FILES} changed files`)
  const effect = await measureLargeEffect(bench, 7)
  return [
    added('`true` in a sandbox that runs, `dryRun`', running.dryRun, running.plain, ADDED_MS.running),
    added('`true` in a sandbox that runs, `readOnly`', running.readOnly, running.plain, ADDED_MS.running),
    ...commandRows('sandbox', writing),
    within('one-shot, `readOnly`', looking.readOnly, ONE_SHOT_MS),
    againstBubblewrap(looking),
    within(`effect list of ${CHANGED_FILES} changed files`, effect, LARGE_EFFECT_MS),
    ...memoryRows(memory),
  ]
}

function sessionRows(times: Awaited<ReturnType<typeof measureSessions>>): Row[] {
  const { plain, shown } = times
  const { bound: _, met: __, ...ofShowing } = added('of it for being shown in a session', shown, plain, 0)
  return [
    added('`machine.exec` in a session that runs, `dryRun`', times.dryRun, plain, ADDED_MS.running),
    added('`machine.exec` in a session that runs, `readOnly`', times.readOnly, plain, ADDED_MS.running),
    { ...ofShowing, bound: '', met: undefined },
  ]
}

function commandRows(how: string, times: Readonly<Record<'plain' | 'dryRun' | 'noDelete', number[]>>): Row[] {
  return [
    added(`${how}: a command under \`noDelete\` that writes a file`, times.noDelete, times.plain, ADDED_MS.noDelete),
    within(`${how}: one-shot, \`dryRun\`, with its effect`, times.dryRun, ONE_SHOT_MS),
  ]
}

/** What something takes more than the same without restrictions. */
function added(what: string, ours: readonly number[], plain: readonly number[], atMost: number): Row {
  const [own, other] = [medianOf(ours), medianOf(plain)]
  return {
    what: `${what}: p50 over plain`,
    ours: inMilliseconds(own - other),
    peer: `plain: ${inMilliseconds(other)}`,
    ratio: asRatio(own / other),
    bound: `at most ${atMost} ms more`,
    met: own - other <= atMost,
  }
}

function within(what: string, times: readonly number[], atMost: number): Row {
  const p50 = medianOf(times)
  const bound = `at most ${atMost} ms`
  return { what: `${what}, p50`, ours: inMilliseconds(p50), peer: '', ratio: '', bound, met: p50 <= atMost }
}

function againstBubblewrap({ readOnly, bwrap }: Awaited<ReturnType<Bench['measureLooking']>>): Row {
  const what = 'one-shot, `readOnly`, against bwrap with the same isolation, p50'
  if (missingPackages(['bwrap']).length > 0) return notMeasured(what, '', 'bubblewrap is missing')
  const [own, other] = [medianOf(readOnly), medianOf(bwrap)]
  const peer = `bwrap: ${inMilliseconds(other)}`
  return { what, ours: inMilliseconds(own), peer, ratio: asRatio(other / own), bound: '', met: undefined }
}

function memoryRows({ waiting, standing }: HostMemory): Row[] {
  const row = (what: string, bytes: number): Row => ({
    what,
    ours: inMegabytes(bytes),
    peer: '',
    ratio: '',
    bound: `at most ${inMegabytes(HOST_BYTES)}`,
    met: bytes <= HOST_BYTES,
  })
  return [row('memory of a host that waits, PSS', waiting), row('memory of an idle host with its view, PSS', standing)]
}

const notes = [
  `As ${process.getuid?.() === 0 ? 'root' : 'an ordinary user'}. Over plain: the same command in the same run without restrictions.`,
  'The first rows are of `@cmdop/sandbox` in the process of the benchmark; plain is `child_process.spawn`, to the end of its output. 500 of each in alternating rounds, one-shots 60 of each with 50 ms between them.',
  'One-shot: from opening the sandbox, with hosts that were started before and the view of the last one built ahead, to the end of the command and, with a view, to its effect list. Under `noDelete` also judged and applied, with what is written to the disk synchronised.',
  'bwrap: `--unshare-all --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp`; it shows no effect, leaves inherited descriptors open and, as root, settings of the kernel writable.',
  '`machine.exec`: client, relay and machine are separate processes; permit, audit rows, recording and journal included on both sides. 500 of each; commands of their own 50 of each with 700 ms between them, in which the daemon starts the next host.',
  'The effect list is that of 10,000 files that each got another line, 7 times, diffs and hash included.',
]
