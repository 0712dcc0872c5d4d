import { lstatSync, writeSync } from 'node:fs'
import { expect, test } from 'vitest'
import { inOuterWorld } from './testing/outer-world.ts'
import { hasOverlays } from './testing/test-view.ts'
import type { RemovedEverything } from './testing/remove-everything.ts'

const program = new URL('testing/remove-everything.ts', import.meta.url)

/** For a disk of a million entries; see `MAX_CHANGES`. */
const MOST_BYTES = 400_000_000

// The throw-away copy needs root.
test.runIf(hasOverlays && process.getuid?.() === 0)(
  'rm -rf of everything as root, in a dry run, says what it would delete, in bounded memory, and touches nothing',
  async () => {
    let report: RemovedEverything | undefined
    const startedMs = Date.now()
    // In a throw-away copy of the machine, so that a fault of ours could not hurt it either.
    await inOuterWorld(program, {}, { onReport: (sent) => (report = sent as RemovedEverything) })
    const { counts, rules, paths, looked, different, grewBytes, tookMs } = report ?? expect.fail('No report came.')
    expect(different.filter((path) => !isChangedSince(path, startedMs))).toEqual([])
    expect(looked).toBeGreaterThan(1_000)
    expect(counts['deleted']).toBeGreaterThan(looked)
    expect(rules).toContain('deleted')
    expect(paths).toEqual(expect.arrayContaining(['/etc', '/usr']))
    expect(grewBytes).toBeLessThan(MOST_BYTES)
    writeSync(
      2,
      `rm -rf /: ${counts['deleted']} deletions listed in ${Math.round(tookMs)} ms and ${Math.round(grewBytes / 1e6)} MB\n`,
    )
  },
  900_000,
)

/** Whether the machine itself changed it meanwhile, which shows in the copy; what is done in the copy does not show here. */
function isChangedSince(path: string, ms: number): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats === undefined || stats.ctimeMs >= ms
}
