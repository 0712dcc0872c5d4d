import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { computeEffects } from '../effects/compute-effects.ts'
import { hasOverlays, startOverlays } from '../testing/test-view.ts'
import { treeOf } from '../testing/tree-of.ts'
import { applyEffect } from './apply-effect.ts'
import { pruneJournals } from './prune-journals.ts'
import { recover } from './recover.ts'

/** A file and another one changed, with what the journal has after the apply. */
async function applied() {
  const overlays = await startOverlays()
  const disk = overlays.folder()
  const journals = join(overlays.folder(), 'journals')
  await overlays.ask({ shell: 'echo one > a; echo two > b', directory: disk })
  const before = treeOf(disk, { times: 'all', inodes: true })
  const { view, shell } = await overlays.view(disk)
  const { hash: nothing } = await computeEffects(view)
  expect(await applyEffect(view, nothing, { journals })).toEqual({ applied: 0 })
  expect(existsSync(journals)).toBe(false)
  await shell('echo more >> a; mv b c; echo new > d')
  const { hash } = await computeEffects(view)
  await applyEffect(view, hash, { journals })
  const journal = join(journals, view.id)
  return { disk, journals, journal, before, [Symbol.asyncDispose]: () => overlays[Symbol.asyncDispose]() }
}

function cut(path: string): void {
  const bytes = readFileSync(path)
  writeFileSync(path, bytes.subarray(0, bytes.length / 2))
}

test.runIf(hasOverlays)(
  'an apply whose last mark did not reach the disk whole is taken back; one that changed nothing has no journal',
  async () => {
    await using world = await applied()
    cut(join(world.journal, 'applied'))
    expect(await recover({ journals: world.journals })).toMatchObject([{ outcome: 'rolled-back', leftAlone: [] }])
    expect(treeOf(world.disk, { times: 'all', inodes: true })).toEqual(world.before)
    expect(existsSync(world.journal)).toBe(false)
  },
)

test.runIf(hasOverlays)('a plan that did not reach the disk whole was not begun, and goes', async () => {
  await using world = await applied()
  const now = treeOf(world.disk, { times: 'all', inodes: true })
  for (const name of ['applied', 'plan']) cut(join(world.journal, name))
  expect(await recover({ journals: world.journals })).toEqual([])
  expect(treeOf(world.disk, { times: 'all', inodes: true })).toEqual(now)
  expect(existsSync(world.journal)).toBe(false)
})

test.runIf(hasOverlays)(
  'a journal whose disk is not there stops no other, is told when it was interrupted, and waits',
  async () => {
    await using world = await applied()
    rmSync(world.disk, { recursive: true })
    expect(await recover({ journals: world.journals })).toEqual([])
    expect(await pruneJournals(world.journals, { maxAgeMs: -1 })).toEqual([])
    cut(join(world.journal, 'applied'))
    expect(await recover({ journals: world.journals })).toMatchObject([
      { outcome: 'failed', reason: expect.stringContaining('ENOENT') },
    ])
    expect(existsSync(world.journal)).toBe(true)
  },
)
