import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { computeEffects } from '../effects/compute-effects.ts'
import { killAtSteps } from '../testing/crashes.ts'
import { checkApplyEqualsRealRun, checkApplyEqualsView, checkApplyRefusesOrIsExact } from '../testing/properties.ts'
import { hasOverlays, overlayKinds, startOverlays } from '../testing/test-view.ts'
import { treeOf } from '../testing/tree-of.ts'
import { applyEffect } from './apply-effect.ts'
import { undoEffect } from './undo-effect.ts'

const RUNS = Number(process.env['CMDOP_PROPERTY_RUNS'] ?? 250)

describe.runIf(hasOverlays).each(overlayKinds)('in full, as an ordinary user: $user', ({ user }) => {
  test(`${RUNS} random scripts: the disk after an apply is what a real run makes of a copy, and undo gives back the original`, async () => {
    await using overlays = await startOverlays({ user })
    await checkApplyEqualsRealRun(overlays, RUNS)
  })

  test(`${RUNS} random scripts: the disk after an apply is what the view showed, hard links among the files or not`, async () => {
    await using overlays = await startOverlays({ user })
    await checkApplyEqualsView(overlays, RUNS)
  })

  test(`${RUNS} random scripts: when the disk was changed by others, an apply refuses or is exact`, async () => {
    await using overlays = await startOverlays({ user })
    const { refused, exact } = await checkApplyRefusesOrIsExact(overlays, RUNS)
    expect(refused).toBeGreaterThan(RUNS / 20)
    expect(exact).toBeGreaterThan(RUNS / 20)
  })

  test('a file of 3 GB, most of it holes, is appended to, copied, applied and taken back', async () => {
    await using overlays = await startOverlays({ user })
    const disk = overlays.folder()
    const journals = join(overlays.folder(), 'journals')
    await overlays.ask({
      shell: 'truncate -s 3G large; echo middle | dd of=large bs=1 seek=1500000000 conv=notrunc status=none',
      directory: disk,
    })
    const { view, shell } = await overlays.view(disk)
    await shell('echo end >> large; truncate -s 3G other; chmod 600 other')
    const { hash } = await computeEffects(view)
    await applyEffect(view, hash, { journals })
    expect(statSync(join(disk, 'large')).size).toBe(3 * 1024 ** 3 + 4)
    expect(statSync(join(disk, 'large')).blocks + statSync(join(disk, 'other')).blocks).toBeLessThan(1_000)
    await undoEffect(view.id, { journals })
    expect(statSync(join(disk, 'large')).size).toBe(3 * 1024 ** 3)
  })

  test('two thousand files are applied and taken back', async () => {
    await using overlays = await startOverlays({ user })
    const disk = overlays.folder()
    const journals = join(overlays.folder(), 'journals')
    await overlays.ask({ shell: 'mkdir d e; for i in $(seq 1000); do echo $i > d/$i; done', directory: disk })
    const before = treeOf(disk, { times: 'all', inodes: true })
    const { view, shell, tree } = await overlays.view(disk)
    await shell(
      'for i in $(seq 500); do echo more >> d/$i; rm d/$((i + 500)); done; for i in $(seq 1000); do echo new $i > e/$i; done',
    )
    const shown = await tree()
    await applyEffect(view, (await computeEffects(view)).hash, { journals })
    expect(treeOf(disk, { links: false }).join('\n')).toBe(shown)
    await undoEffect(view.id, { journals })
    expect(treeOf(disk, { times: 'all', inodes: true })).toEqual(before)
  })

  test('ten thousand changed files are listed within the limit that is promised', async () => {
    await using overlays = await startOverlays({ user })
    const disk = overlays.folder()
    await overlays.ask({
      shell: 'for d in $(seq 100); do mkdir $d; for f in $(seq 100); do echo content $d $f > $d/$f; done; done',
      directory: disk,
    })
    const { view, shell } = await overlays.view(disk)
    await shell(
      'for d in $(seq 60); do for f in $d/*; do echo more >> $f; done; done; rm -r 6? 7?; mkdir n; for f in $(seq 2000); do echo $f > n/$f; done',
    )
    const times: number[] = []
    for (let run = 0; run < 5; run++) {
      const started = performance.now()
      const { counts } = await computeEffects(view)
      times.push(performance.now() - started)
      expect(Object.values(counts).reduce((sum, count) => sum + count)).toBeGreaterThan(9_900)
    }
    // The figure itself is of a machine without other load; the best of five is near it.
    expect(Math.min(...times)).toBeLessThan(1_000)
  })

  test.each(['apply', 'undo', 'recover'] as const)(
    'a process killed before every write of %s leaves all or nothing after the next start',
    async (action) => {
      await using overlays = await startOverlays({ user })
      expect(await killAtSteps(overlays, action, 1)).toBeGreaterThan(40)
    },
  )
})
