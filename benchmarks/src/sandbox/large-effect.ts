import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { computeEffects } from '@cmdop/sandbox'
import { timed } from '../statistics.ts'
import type { Bench } from './in-process.ts'

const DIRECTORIES = 100
const FILES = 100

/** Files that are changed. */
export const CHANGED_FILES = DIRECTORIES * FILES

/** Milliseconds of computing the list of a view in which that many existing files got another line; several times. */
export async function measureLargeEffect(bench: Bench, count: number): Promise<number[]> {
  for (let directory = 0; directory < DIRECTORIES; directory += 1) {
    const path = join(bench.work, `many-${directory}`)
    await mkdir(path)
    for (let file = 0; file < FILES; file += 1)
      await writeFile(join(path, `${file}.txt`), `line ${directory} ${file}\n`)
  }
  const sandbox = await bench.openSandbox({ dryRun: true })
  try {
    await bench.run(sandbox, ['sh', '-c', 'for file in many-*/*; do echo changed >> "$file"; done'])
    const { view } = sandbox
    if (view === undefined) throw new Error('Expected a dry run to have a view.')
    await sandbox.freeze()
    const times: number[] = []
    while (times.length < count) {
      times.push(
        await timed(async () => {
          const { counts } = await computeEffects(view)
          if (counts['modified'] !== CHANGED_FILES) throw new Error(`Expected them all, got ${JSON.stringify(counts)}.`)
        }),
      )
    }
    return times
  } finally {
    await sandbox.discard()
  }
}
