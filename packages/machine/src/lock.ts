import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CmdopError } from '@cmdop/protocol'

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
    await takeAway(file, holder)
    if (!(await create(file, own))) throw new CmdopError('conflict', `Another daemon has just started with ${folder}.`)
  }
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) }
}

/**
 * Removes the lock of a dead holder, and no other: of two daemons that both found it, the later one takes away what the
 * earlier one has just made, sees that, and puts it back.
 */
async function takeAway(file: string, holder: string): Promise<void> {
  const away = `${file}.${randomUUID()}`
  try {
    await rename(file, away)
  } catch {
    return
  }
  const taken = await readFile(away, 'utf8')
  if (taken !== holder) await link(away, file).catch(() => {})
  await rm(away, { force: true })
}

async function create(file: string, content: string): Promise<boolean> {
  try {
    await using handle = await open(file, 'wx', 0o600)
    await handle.writeFile(content)
    return true
  } catch (cause) {
    if (typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'EEXIST') return false
    throw new CmdopError('config', `${file} cannot be written.`, { cause })
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
