import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { applyEffect } from './apply/apply-effect.ts'
import { computeEffects } from './effects/compute-effects.ts'
import { hasOverlays, startOverlays } from './testing/test-view.ts'

test.runIf(hasOverlays)('a view of an earlier boot is shown and not applied', async () => {
  await using overlays = await startOverlays()
  const disk = overlays.folder()
  const { view, shell } = await overlays.view(disk)
  await shell('echo new > new')
  writeFileSync(view.marker, '00000000-0000-4000-8000-000000000000')
  const { hash, counts } = await computeEffects(view)
  expect(counts).toEqual({ added: 1 })
  await expect(applyEffect(view, hash, { journals: join(overlays.folder(), 'journals') })).rejects.toMatchObject({
    code: 'effect_conflict',
    message: expect.stringContaining('started again'),
    details: { reason: 'other_boot' },
  })
  expect(readdirSync(disk)).toEqual([])
})
