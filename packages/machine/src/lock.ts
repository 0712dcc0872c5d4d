import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CmdopError } from '@cmdop/protocol'

/** Milliseconds after which a turn to take over a lock is abandoned. */
const TURN_MS = 10_000

/**
 * Holds a folder for one daemon, because a second one would end the first one's commands as leftovers.
 * A lock of a process that is gone is taken over. Throws `conflict` when the other is alive.
 */
export async function lockFolder(folder: string): Promise<AsyncDisposable> {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new CmdopError('config', `The folder ${folder} cannot be made.`, { cause })
  })
  const file = join(folder, 'daemon.lock')
  const own = `${process.pid} ${await startTimeOf(process.pid)}`
  if (!(await create(file, own))) {
    const holder = await readFile(file, 'utf8').catch(() => '')
    if (await isAlive(holder)) {
      throw new CmdopError(
        'conflict',
        `Another daemon (process ${holder.split(' ', 1)[0]}) runs with ${folder}; stop it first.`,
      )
    }
    await takeOver(file, { dead: holder, own })
  }
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) }
}

/** Replaces the lock of a dead holder; of many that found it only one may, and a lock made meanwhile stays. */
async function takeOver(file: string, lock: { dead: string; own: string }): Promise<void> {
  const turn = `${file}.takeover`
  const justStarted = new CmdopError('conflict', `Another daemon has just started with ${dirname(file)}.`)
  if (!(await create(turn, lock.own)) && !(await isAbandoned(turn))) throw justStarted
  try {
    if ((await readFile(file, 'utf8').catch(() => lock.dead)) !== lock.dead) throw justStarted
    await rm(file, { force: true })
    if (!(await create(file, lock.own))) throw justStarted
  } finally {
    await rm(turn, { force: true })
  }
}

/** A turn takes milliseconds; one that is much older is of a daemon that was killed in it. */
async function isAbandoned(turn: string): Promise<boolean> {
  const age = Date.now() - (await stat(turn).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs
  return age > TURN_MS
}

/** Makes a file with its content at once, unless it is there. */
async function create(file: string, content: string): Promise<boolean> {
  const temporary = `${file}.${randomUUID()}`
  try {
    await writeFile(temporary, content, { mode: 0o600 })
    await link(temporary, file)
    return true
  } catch (cause) {
    if (typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'EEXIST') return false
    throw new CmdopError('config', `${file} cannot be written.`, { cause })
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Whether the process that wrote the lock still runs: same id, and where the system says it, same start. */
async function isAlive(holder: string): Promise<boolean> {
  const [pid = '', startTime = ''] = holder.split(' ')
  if (!/^\d+$/.test(pid)) return false
  try {
    process.kill(Number(pid), 0)
  } catch {
    return false
  }
  return (await startTimeOf(Number(pid))) === startTime
}

/** Clock ticks between boot and start of a process (field 22 of `/proc/<pid>/stat`); `unknown` elsewhere. */
async function startTimeOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 'unknown'
}
