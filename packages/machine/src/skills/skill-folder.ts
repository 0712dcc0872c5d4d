import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, lstat, mkdir, open, opendir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CmdopError, type SkillFileEntry } from '@cmdop/protocol'

/** Files that are named of those that were changed. */
const NAMED_CHANGES = 10

/** Levels of folders that are looked through; a skill has fewer. */
const MAX_DEPTH = 16

/** Bits that let others write. */
const WRITABLE = 0o022

/** A file as it is put in place. */
export interface NewFile {
  readonly path: string
  readonly executable: boolean
  readonly data: Uint8Array
}

/** Makes the folder, which must not be there, with these files in it; whole and on the disk when it resolves. */
export async function writeSkillFolder(folder: string, files: readonly NewFile[]): Promise<void> {
  await mkdir(folder, { mode: 0o755 })
  // What the umask takes away is given back: a command of another user has to read it.
  await chmod(folder, 0o755)
  const made = new Set<string>()
  for (const { path, executable, data } of files) {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      const parent = path.slice(0, end)
      if (made.has(parent)) continue
      made.add(parent)
      await mkdir(join(folder, parent), { mode: 0o755 })
      await chmod(join(folder, parent), 0o755)
    }
    await writeFile(join(folder, path), data, executable ? 0o755 : 0o644)
  }
  for (const each of [...made, '']) await syncFolder(join(folder, each))
  await syncFolder(dirname(folder))
}

/**
 * Files of a folder that are not as they were when they were put there, the first ones: content, right to be run, owner, others who
 * may write. One that came in since counts, too. Nothing: all is as it was.
 */
export async function changedFiles(folder: string, files: readonly SkillFileEntry[]): Promise<string[]> {
  const expected = new Map(files.map((file) => [file.path, file]))
  const parents = new Set(files.flatMap(({ path }) => parentsOf(path)))
  const changed: string[] = []
  const look = async (relative: string): Promise<void> => {
    const stat = await lstat(join(folder, relative)).catch(() => undefined)
    const isOurs =
      stat !== undefined && stat.isDirectory() && stat.uid === process.geteuid?.() && (stat.mode & WRITABLE) === 0
    if (!isOurs) return void changed.push(relative === '' ? '.' : relative)
    for await (const { name } of await opendir(join(folder, relative))) {
      if (changed.length >= NAMED_CHANGES) return
      const path = relative === '' ? name : `${relative}/${name}`
      const file = expected.get(path)
      if (file !== undefined) {
        expected.delete(path)
        if (!(await isAsItWas(join(folder, path), file))) changed.push(path)
      } else if (parents.has(path) && path.split('/').length < MAX_DEPTH) await look(path)
      else changed.push(path)
    }
  }
  await look('')
  for (const path of expected.keys()) if (changed.length < NAMED_CHANGES && !changed.includes('.')) changed.push(path)
  return changed
}

/** A folder that only this user writes, made where it is missing. Throws `permission` where somebody else could put a skill in it. */
export async function ownFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 })
  const stat = await lstat(folder)
  if (stat.isDirectory() && stat.uid === process.geteuid?.() && (stat.mode & WRITABLE) === 0) return
  throw new CmdopError(
    'permission',
    `The folder for skills ${folder} has to be a folder of the daemon's own user that nobody else may write; nothing was installed.`,
  )
}

async function isAsItWas(path: string, { sha256, size, executable }: SkillFileEntry): Promise<boolean> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => undefined)
  if (file === undefined) return false
  try {
    const stat = await file.stat()
    const isOurs = stat.isFile() && stat.uid === process.geteuid?.() && (stat.mode & WRITABLE) === 0
    if (!isOurs || stat.size !== size || (stat.mode & 0o111) !== (executable ? 0o111 : 0)) return false
    const data = await file.readFile()
    return createHash('sha256').update(data).digest('hex') === sha256
  } finally {
    await file.close()
  }
}

async function writeFile(path: string, data: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.writeFile(data)
    await file.chmod(mode)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function parentsOf(path: string): string[] {
  const names = path.split('/')
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join('/'))
}
