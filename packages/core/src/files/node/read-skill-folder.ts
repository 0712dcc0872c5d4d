import { constants } from 'node:fs'
import { open, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { CmdopError, MAX_SKILL_BYTES, MAX_SKILL_FILE_BYTES, MAX_SKILL_FILES, type SkillFile } from '@cmdop/protocol'

/** What is no part of a skill, whoever made it: what begins with a dot, and what package managers and Python leave. */
const LEFT_OUT = /^(?:\..*|node_modules|__pycache__)$/

/**
 * The files of a folder with a `SKILL.md`, for `client.skills.publish`. What begins with a dot, `node_modules` and `__pycache__` are left
 * out. Throws `validation` for a link or anything else that is no regular file, and for more than a skill may have.
 */
export async function readSkillFolder(folder: string): Promise<SkillFile[]> {
  const files: SkillFile[] = []
  let bytes = 0
  const look = async (relative: string): Promise<void> => {
    for await (const entry of await opendir(join(folder, relative))) {
      if (LEFT_OUT.test(entry.name)) continue
      const path = relative === '' ? entry.name : `${relative}/${entry.name}`
      if (entry.isDirectory()) {
        await look(path)
        continue
      }
      if (!entry.isFile())
        throw new CmdopError('validation', `Expected ${join(folder, path)} to be a regular file: a skill has no links.`)
      const { data, executable } = await readFile(join(folder, path))
      bytes += data.length
      if (files.length >= MAX_SKILL_FILES || bytes > MAX_SKILL_BYTES)
        throw new CmdopError(
          'validation',
          `${folder} has more than ${MAX_SKILL_FILES} files, or more than ${MAX_SKILL_BYTES} bytes.`,
        )
      files.push({ path, executable, ...contentOf(data) })
    }
  }
  await look('').catch((cause: unknown) => {
    if (cause instanceof CmdopError) throw cause
    throw new CmdopError('not_found', `The folder ${folder} cannot be read.`, { cause })
  })
  return files.toSorted((one, other) => (one.path < other.path ? -1 : 1))
}

async function readFile(path: string): Promise<{ data: Buffer; executable: boolean }> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
  try {
    const { size, mode } = await file.stat()
    if (size > MAX_SKILL_FILE_BYTES)
      throw new CmdopError(
        'validation',
        `${path} has ${size} bytes; a file of a skill has at most ${MAX_SKILL_FILE_BYTES}.`,
      )
    return { data: await file.readFile(), executable: (mode & 0o100) !== 0 }
  } finally {
    await file.close()
  }
}

function contentOf(data: Buffer): Pick<SkillFile, 'content' | 'encoding'> {
  const text = data.toString()
  return Buffer.from(text).equals(data)
    ? { content: text, encoding: 'utf8' }
    : { content: data.toString('base64'), encoding: 'base64' }
}
