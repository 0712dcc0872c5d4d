import { existsSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { isCmdopError } from '@cmdop/protocol'
import { expect } from 'vitest'
import { applyEffect } from '../apply/apply-effect.ts'
import { undoEffect } from '../apply/undo-effect.ts'
import { computeEffects } from '../effects/compute-effects.ts'
import type { Operation } from './operations.ts'
import { script, treeScript } from './random-scripts.ts'
import type { OverlayWorld, TestView } from './test-view.ts'
import { treeOf } from './tree-of.ts'

/** Times before this were set by a script. */
const setByHand = { times: { beforeNs: 1_500_000_000_000_000_000n } } as const

/** Random scripts in a view, applied, against a real run of the same steps on a copy; then undone. */
export async function checkApplyEqualsRealRun(overlays: OverlayWorld, runs: number): Promise<void> {
  const property = fc.asyncProperty(treeScript({ links: false }), script, async (tree, steps) => {
    const { disk, copy, journals } = await makeDisk(overlays, tree)
    const before = treeOf(disk, { times: 'all', inodes: true })
    const shown = await overlays.view(disk)
    const done = await runDone(shown, steps)
    await overlays.ask({ operations: done, directory: copy })
    const { hash } = await computeEffects(shown.view)
    expect(treeOf(disk, { times: 'all', inodes: true })).toEqual(before)
    await applyEffect(shown.view, hash, { journals })
    expect(treeOf(disk, setByHand)).toEqual(treeOf(copy, setByHand))
    // What changes nothing leaves nothing to undo.
    if (existsSync(join(journals, shown.view.id))) await undoEffect(shown.view.id, { journals })
    expect(treeOf(disk, { times: 'all', inodes: true })).toEqual(before)
  })
  await fc.assert(property, { numRuns: runs, endOnFailure: false })
}

/** As above on trees with hard links, whose names part in an overlay: the disk is what the view showed. */
export async function checkApplyEqualsView(overlays: OverlayWorld, runs: number): Promise<void> {
  const property = fc.asyncProperty(treeScript({ links: true }), script, async (tree, steps) => {
    const { disk, journals } = await makeDisk(overlays, tree)
    const before = treeOf(disk, { times: 'all', inodes: true })
    const shown = await overlays.view(disk)
    await runDone(shown, steps)
    const { hash } = await computeEffects(shown.view)
    const seen = await shown.tree()
    await applyEffect(shown.view, hash, { journals })
    expect(treeOf(disk, { links: false }).join('\n')).toBe(seen)
    // What changes nothing leaves nothing to undo.
    if (existsSync(join(journals, shown.view.id))) await undoEffect(shown.view.id, { journals })
    expect(treeOf(disk, { times: 'all', inodes: true })).toEqual(before)
  })
  await fc.assert(property, { numRuns: runs })
}

/** The disk is changed by others between preview and apply: refused and left as they made it, or exactly what was shown. */
export async function checkApplyRefusesOrIsExact(
  overlays: OverlayWorld,
  runs: number,
): Promise<{ refused: number; exact: number }> {
  const outcomes = { refused: 0, exact: 0 }
  const property = fc.asyncProperty(
    treeScript({ links: false }),
    script,
    fc.tuple(script, fc.integer({ min: 1, max: 3 }), fc.boolean(), fc.nat()),
    async (tree, steps, [others, count, isAimed, pick]) => {
      const { disk, copy, journals } = await makeDisk(overlays, tree)
      const shown = await overlays.view(disk)
      const done = await runDone(shown, steps)
      await overlays.ask({ operations: done, directory: copy })
      const { hash } = await computeEffects(shown.view)
      const [before, wanted] = [linesByPath(disk), linesByPath(copy)]
      // Random ones seldom meet what the script did, so half of them begin with one that does.
      const met = done[pick % Math.max(done.length, 1)]?.[1]
      const aimed: Operation[] = isAimed && met !== undefined ? [['append', met, 'theirs\n']] : []
      await overlays.ask({ operations: [...aimed, ...others.slice(0, count)], directory: disk })
      const changed = linesByPath(disk)
      const refused = await applyEffect(shown.view, hash, { journals }).then(
        () => false,
        (error: unknown) => {
          if (isCmdopError(error) && error.code === 'effect_conflict') return true
          throw error
        },
      )
      outcomes[refused ? 'refused' : 'exact'] += 1
      const expected = refused ? changed : merge({ before, wanted, changed })
      expect(linesByPath(disk)).toEqual(expected)
    },
  )
  await fc.assert(property, { numRuns: runs })
  return outcomes
}

/** Where the effect says nothing, the disk is as the others made it. */
function merge({
  before,
  wanted,
  changed,
}: Record<'before' | 'wanted' | 'changed', Map<string, string>>): Map<string, string> {
  const paths = new Set([...before.keys(), ...wanted.keys(), ...changed.keys()])
  const merged = new Map<string, string>()
  for (const path of paths) {
    const line = before.get(path) === wanted.get(path) ? changed.get(path) : wanted.get(path)
    if (line !== undefined) merged.set(path, line)
  }
  return new Map([...merged].sort(([one], [other]) => (one < other ? -1 : 1)))
}

function linesByPath(root: string): Map<string, string> {
  const entries = treeOf(root, { links: false }).map((line): [string, string] => [
    /^"(?:[^"\\]|\\.)*"/.exec(line)?.[0] ?? '',
    line,
  ])
  return new Map(entries.sort(([one], [other]) => (one < other ? -1 : 1)))
}

async function makeDisk(
  overlays: OverlayWorld,
  tree: readonly Operation[],
): Promise<{ disk: string; copy: string; journals: string }> {
  const folder = overlays.folder()
  const [disk, copy] = [join(folder, 'disk'), join(folder, 'copy')]
  await overlays.ask({ shell: 'mkdir disk', directory: folder })
  await overlays.ask({ operations: tree, directory: disk })
  await overlays.ask({ shell: 'cp -a disk copy', directory: folder })
  return { disk, copy, journals: join(folder, 'journals') }
}

/** Runs a script in the view and gives the steps that worked: a user's overlay refuses to rename directories. */
async function runDone(shown: TestView, steps: readonly Operation[]): Promise<Operation[]> {
  const outcomes = (await shown.run(steps)).split('\n')
  return steps.filter((_, index) => outcomes[index] === 'done')
}
