import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../testing/temporary-folder.ts'
import { nodePtyHost } from '../pty/node-pty.ts'
import { assertSnapshotAt } from './testing/snapshot-property.ts'

const size = { columns: 80, rows: 24 }

/** Points of a capture at which a client joins. */
const JOINS = 60

/** What is typed into each, and what it shows before the next key is typed. */
interface Program {
  readonly command: string
  readonly shows: RegExp
  readonly keys: readonly (readonly [key: string, shows: RegExp])[]
}

const programs: Readonly<Record<'vim' | 'htop' | 'less' | 'top', Program>> = {
  vim: {
    command: 'vim -u NONE -N file',
    shows: /line 20/,
    keys: [
      ['ihello\x1b', /hello/],
      [':set number\r', / {2}2 /],
      ['10dd', /fewer lines/],
      [':split\r', /\[\+\]/],
      ['\x06', /line 2[5-9]/],
      ['vjjj', /VISUAL/],
    ],
  },
  htop: {
    command: 'htop -d 5',
    shows: /Quit/,
    keys: [
      ['\x1b[B', /./],
      ['\x1b[B', /./],
      ['h', /GNU GPL/],
    ],
  },
  less: {
    command: 'less file',
    shows: /line 20/,
    keys: [
      [' ', /line 40/],
      ['G', /line 299/],
      ['/line 5\r', /./],
      ['h', /SUMMARY/],
    ],
  },
  top: {
    command: 'top -d 0.3',
    shows: /PID/,
    keys: [
      // It takes keys that come together for one.
      ['1', /Cpu0/],
      ['h', /Help/],
    ],
  },
}

describe('a client that joins a terminal with', () => {
  test.each(Object.entries(programs))('%s shows what one that was there from the start does', async (_, program) => {
    const output = await capture(program)
    expect(output.length).toBeGreaterThan(1000)
    for (let join = 0; join <= JOINS; join += 1)
      assertSnapshotAt(output, Math.floor((output.length * join) / JOINS), size)
  })
})

/** All that a program puts out until the last key was answered. */
async function capture({ command, shows, keys }: Program): Promise<Buffer> {
  await using folder = await temporaryFolder()
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
  const showing = async (text: RegExp, after: number): Promise<void> => {
    while (!text.test(Buffer.concat(pieces.slice(after)).toString())) await shown.promise
  }
  await showing(shows, 0)
  for (const [key, answer] of keys) {
    const typedAfter = pieces.length
    await pty.write(Buffer.from(key))
    await showing(answer, typedAfter)
  }
  pty.kill('SIGKILL')
  await pty.exit
  return Buffer.concat(pieces)
}
