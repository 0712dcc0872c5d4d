import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { boundFiles } from './bound-files.ts'

let folder = ''
let home = ''
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'cmdop-bound-')))
  home = join(folder, 'home')
  for (const directory of ['home', 'a/b', 'work', 'elsewhere/deep'])
    await mkdir(join(folder, directory), { recursive: true })
  for (const file of [
    'a/b/run.sh',
    'work/run.sh',
    'elsewhere/run.sh',
    'home/run.sh',
    'work/.hidden.sh',
    'work/a[1].txt',
  ])
    await writeFile(join(folder, file), file)
  await symlink(join(folder, 'elsewhere/deep'), join(folder, 'work/link'))
  await symlink('.', join(folder, 'work/loop'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Paths of the bound files in the folder, whose names are their content. */
async function bound(directory: string, ...words: string[]): Promise<string[]> {
  const files = await boundFiles({ directory: join(folder, directory), home }, words)
  for (const { path, identity } of files) {
    const content = (await realpath(path)).slice(folder.length + 1)
    if (path.startsWith(folder)) expect(identity).toBe(createHash('sha256').update(content).digest('hex'))
  }
  return [...new Set(await Promise.all(files.map(async ({ path }) => (await realpath(path)).slice(folder.length + 1))))]
}

const refused = (...words: string[]) => expect(bound('work', ...words)).rejects.toMatchObject({ code: 'unsupported' })

describe('the files of a command', () => {
  test('are found over one directory after the other', async () => {
    expect(await bound('.', 'cd', 'a', 'b', 'sh', 'run.sh')).toContain('a/b/run.sh')
    expect(await bound('a', 'cd', '..', 'b', './run.sh')).toContain('a/b/run.sh')
    expect(await bound('a/b', 'cd', '../..', 'work', './run.sh')).toContain('work/run.sh')
    expect(await bound('work', '~', '~/run.sh')).toContain('home/run.sh')
  })

  test('are found where links lead, before and behind them', async () => {
    expect(await bound('work', 'sh', 'link/../run.sh')).toEqual(
      expect.arrayContaining(['elsewhere/run.sh', 'work/run.sh']),
    )
    expect(await bound('work', 'cd', 'link', '../run.sh')).toContain('elsewhere/run.sh')
    expect(await bound('work/link', '../run.sh')).toContain('elsewhere/run.sh')
    expect(await bound('work', 'cd', 'loop', 'run.sh')).toContain('work/run.sh')
  })

  test('are those that a pattern fits, and one that only looks like a pattern', async () => {
    expect(await bound('work', '*.sh')).toEqual(['home/run.sh', 'work/.hidden.sh', 'work/run.sh'])
    expect(await bound('.', '*/r?n.[a-z]h')).toEqual(['elsewhere/run.sh', 'home/run.sh', 'work/run.sh'])
    expect(await bound('work', `${folder}/wor*/run.sh`)).toContain('work/run.sh')
    expect(await bound('work', 'a[1].txt')).toContain('work/a[1].txt')
    expect(await bound('work', '**not** a pattern')).toEqual([])
  })

  test('are refused at any depth, among too many, and where they are another place to the command', async () => {
    await refused('cp', '/usr/**/*.h', '/tmp')
    await refused('sh', '/proc/self/cwd/run.sh')
    await refused('cd', '/proc/self', 'cwd')
    await refused('cat', '/dev/stdin')
    const many = join(folder, 'many')
    await mkdir(many)
    for (let made = 0; made < 260; made += 1) await mkdir(join(many, String(made)))
    const patterns = Array.from({ length: 200 }, (_, index) => `${many}/${'*'.repeat(index + 1)}`)
    await refused(...patterns)
  })

  test('do not include what the kernel makes up, and nothing waits for a pipe', async () => {
    await promisify(execFile)('mkfifo', [join(folder, 'work/pipe')])
    expect(await bound('work', 'pipe', '/proc/kmsg', '/proc/meminfo', '/proc/*', '/sys/*/*', '/dev/null')).toEqual([])
  })

  test('leave the daemon to others while they are looked for', async () => {
    let turns = 0
    const timer = setInterval(() => (turns += 1), 1)
    await bound('work', '/usr/lib/*/*', '/usr/share/*').catch(() => [])
    clearInterval(timer)
    expect(turns).toBeGreaterThan(1)
  })
})
