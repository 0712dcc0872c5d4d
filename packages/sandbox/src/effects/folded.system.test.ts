import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { applyEffect } from '../apply/apply-effect.ts'
import { hasOverlays, overlayKinds, startOverlays } from '../testing/test-view.ts'
import { computeEffects } from './compute-effects.ts'
import { judge } from './judge.ts'

describe.runIf(hasOverlays).each(overlayKinds)('as an ordinary user: $user', ({ user }) => {
  test('a deleted tree of 20,000 files is one line, and complete', async () => {
    await using overlays = await startOverlays({ user })
    const disk = overlays.folder()
    const make = 'for d in $(seq 100); do mkdir -p t/$d && (cd t/$d && seq 200 | xargs touch); done'
    await overlays.ask({ shell: make, directory: disk })
    const { view, shell } = await overlays.view(disk)
    await shell('rm -rf t')
    const { effects, counts, truncated } = await computeEffects(view)
    expect(effects.filter(({ kind }) => kind === 'deleted')).toMatchObject([
      { path: join(disk, 't'), collapsed: 20_100 },
    ])
    expect({ counts, truncated }).toEqual({ counts: { deleted: 20_101 }, truncated: false })
    expect(readdirSync(join(disk, 't', '100'))).toHaveLength(200)
  }, 120_000)

  test('what is over the number that is kept is counted, in the hash, and never applied', async () => {
    await using overlays = await startOverlays({ user })
    const disk = overlays.folder()
    await overlays.ask({ shell: 'mkdir t && cd t && seq 200 | xargs touch', directory: disk })
    const { view, shell } = await overlays.view(disk)
    await shell('rm -rf t')
    const most = 50
    const list = await computeEffects(view, { most })
    expect(list).toMatchObject({ counts: { deleted: 201 }, truncated: true })
    expect(list.violations.at(0)?.rule).toBe('too-large')
    expect(judge(list, { noDelete: true })).toMatchObject({ verdict: 'refuse' })
    const applying = applyEffect(view, list.hash, { journals: join(overlays.folder(), 'journals'), most })
    await expect(applying).rejects.toMatchObject({ code: 'unsupported' })
    expect(readdirSync(join(disk, 't'))).toHaveLength(200)
    expect((await computeEffects(view, { most })).hash).toBe(list.hash)
    // The last in the order of names: one of those that are not kept.
    writeFileSync(join(disk, 't', '99'), 'changed')
    expect((await computeEffects(view, { most })).hash).not.toBe(list.hash)
  })
})
