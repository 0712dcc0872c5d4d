import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { computeEffects } from '../effects/compute-effects.ts'
import { openSandbox } from '../sandbox.ts'
import { OUTER_STATE, assertOuterWorld } from './outer-world.ts'
import { runIn } from './run-in.ts'

/** What came of it. */
export interface RemovedEverything {
  readonly exitCode: number | null
  /** Of the effect list. */
  readonly counts: Readonly<Record<string, number>>
  readonly rules: readonly string[]
  /** Of the topmost level. */
  readonly paths: readonly string[]
  /** Milliseconds, and bytes of memory more than before, at the most. */
  readonly tookMs: number
  readonly grewBytes: number
  /** Entries of the real disk that were looked at before and after, and those that are not as they were. */
  readonly looked: number
  readonly different: readonly string[]
}

const OWN = new Set(['/proc', '/sys', '/dev', '/tmp', OUTER_STATE])

/** Name, size and times of every entry of the disk down to a depth, and of every 20th below. */
function look(): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  let seen = 0
  const visit = (folder: string, depth: number): void => {
    for (const { name } of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, name)
      const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
      if (stats === undefined || OWN.has(path)) continue
      if (depth <= 3 || seen++ % 20 === 0)
        found.set(
          path,
          `${stats.ino} ${stats.isDirectory() ? '' : stats.size} ${stats.mode} ${stats.mtimeNs} ${stats.ctimeNs}`,
        )
      if (stats.isDirectory()) visit(path, depth + 1)
    }
  }
  visit('/', 1)
  return found
}

async function main(): Promise<void> {
  assertOuterWorld()
  const before = look()
  const sandbox = await openSandbox({ dryRun: true }, { folder: join(OUTER_STATE, 'states'), cwd: '/' })
  const { exitCode } = await runIn(sandbox, 'rm -rf --no-preserve-root / 2> /dev/null')
  await sandbox.freeze()
  const { rss } = process.memoryUsage()
  let most = rss
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 50)
  const started = performance.now()
  if (sandbox.view === undefined) throw new Error('There is no view.')
  const list = await computeEffects(sandbox.view)
  clearInterval(timer)
  const after = look()
  const report: RemovedEverything = {
    exitCode,
    counts: list.counts,
    rules: [...new Set(list.violations.map(({ rule }) => rule))],
    paths: list.effects.map(({ path }) => path).filter((path) => path.lastIndexOf('/') === 0),
    tookMs: performance.now() - started,
    grewBytes: Math.max(most, process.memoryUsage().rss) - rss,
    looked: before.size,
    different: [...before].filter(([path, state]) => after.get(path) !== state).map(([path]) => path),
  }
  process.send?.(report)
  await sandbox.discard()
  process.disconnect()
}

await main()
