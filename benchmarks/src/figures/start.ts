import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Figure, Measurement } from '../figure.ts'
import { timed } from '../statistics.ts'
import { temporaryFolder } from '../temporary-folder.ts'

const BOUND_MS = 15_000

/** Milliseconds after which a start that hangs is given up. */
const GIVE_UP_MS = 600_000

/** The whole of `npm start` on a fresh clone. */
export const startFigure: Figure = {
  id: 'start',
  title: '`npm start` of a fresh clone on a warm package store',
  async measure(progress) {
    await using folder = await temporaryFolder()
    progress('first clone, which fills the package store')
    await startClone(join(folder.path, 'first'))
    progress('second clone')
    return report(await startClone(join(folder.path, 'second')))
  },
}

/** Clones what is committed, and runs its `npm start`. Returns the milliseconds of the latter. */
async function startClone(folder: string): Promise<number> {
  const repository = fileURLToPath(new URL('../../../', import.meta.url))
  await run('git', ['clone', '--quiet', '--no-hardlinks', repository, folder], repository)
  const { scripts } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    scripts?: { start?: string }
  }
  if (scripts?.start === undefined) throw new Error('The commit has no npm start.')
  return timed(() => run('npm', ['start'], folder))
}

/** Runs a program to its end. Throws with the end of what it said when it fails. */
async function run(file: string, args: readonly string[], cwd: string): Promise<void> {
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: GIVE_UP_MS })
  let said = ''
  const listen = (data: Buffer) => {
    said = (said + data.toString()).slice(-2000)
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (code !== 0) throw new Error(`${file} ${args[0]} ended with ${signal ?? code}: ${lastLine(said)}`)
}

function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('npm '))
  return lines.at(-1)?.trim() ?? 'it said nothing'
}

function report(milliseconds: number): Measurement {
  return {
    rows: [
      {
        what: 'whole command',
        ours: `${(milliseconds / 1000).toFixed(1)} s`,
        peer: '',
        ratio: '',
        bound: `at most ${BOUND_MS / 1000} s`,
        met: milliseconds <= BOUND_MS,
      },
    ],
    notes: [
      '`git clone` of what is committed, `npm start` once to fill the package store, then a second clone: its `npm start` from spawn to exit.',
    ],
  }
}
