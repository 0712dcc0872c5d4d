import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../testing/temporary-folder.ts'
import { nodePtyHost } from '../pty/node-pty.ts'
import { assertSnapshotAt } from './testing/snapshot-property.ts'

const size = { columns: 80, rows: 24 }

/** Points of a capture at which a client joins. */
const JOINS = 60

/** What is typed into each, once it has shown something and is quiet. */
const programs: Readonly<Record<string, { readonly command: string; readonly keys: readonly string[] }>> = {
  vim: { command: 'vim -u NONE -N file', keys: ['ihello\x1b', ':set number\r', '10dd', ':split\r', '\x06', 'vjjj'] },
  htop: { command: 'htop -d 5', keys: ['\x1b[B', '\x1b[B', 'h'] },
  less: { command: 'less file', keys: [' ', 'G', '/line 5\r', 'h'] },
  top: { command: 'top -d 0.3', keys: ['1', 'z', 'h'] },
}

describe('a client that joins a terminal with', () => {
  test.each(Object.keys(programs))('%s shows what one that was there from the start does', async (name) => {
    const output = await capture(name)
    expect(output.length).toBeGreaterThan(1000)
    for (let join = 0; join <= JOINS; join += 1)
      assertSnapshotAt(output, Math.floor((output.length * join) / JOINS), size)
  })
})

/** All that a program puts out until the last key was answered. */
async function capture(name: string): Promise<Buffer> {
  await using folder = await temporaryFolder()
  const { command, keys } = programs[name] ?? { command: '', keys: [] }
  await writeFile(
    join(folder.path, 'file'),
    Array.from({ length: 300 }, (_, index) => `line ${index} \u5b57e\u0301 ${'.'.repeat(index % 90)}\n`).join(''),
  )
  const pieces: Buffer[] = []
  let shown = Promise.withResolvers<void>()
  const pty = await nodePtyHost.spawn({
    file: '/bin/sh',
    args: ['-c', `exec ${command}`],
    env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm-256color', LANG: 'C.UTF-8', HOME: folder.path },
    cwd: folder.path,
    size,
    onData: (data) => {
      pieces.push(Buffer.from(data))
      shown.resolve()
      shown = Promise.withResolvers()
    },
  })
  for (const key of keys) {
    await shown.promise
    await pty.write(Buffer.from(key))
  }
  await shown.promise
  pty.kill('SIGKILL')
  await pty.exit
  return Buffer.concat(pieces)
}
