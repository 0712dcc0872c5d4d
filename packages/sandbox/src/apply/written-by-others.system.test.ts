import { appendFileSync, existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { computeEffects } from '../effects/compute-effects.ts'
import { type OverlayWorld, hasOverlays, overlayKinds, startOverlays } from '../testing/test-view.ts'
import { applyEffect } from './apply-effect.ts'
import { recover } from './recover.ts'
import { undoEffect } from './undo-effect.ts'

/** A service that appends a line to the log at each of some steps. */
async function prepare(overlays: OverlayWorld, commands: string) {
  const disk = overlays.folder()
  const journals = join(overlays.folder(), 'journals')
  await overlays.ask({ shell: 'echo first > log; echo other > other', directory: disk })
  const { view, shell } = await overlays.view(disk)
  await shell(commands)
  const { hash } = await computeEffects(view)
  const log = join(disk, 'log')
  const servedAt = (wanted: string) => (step: string) => {
    if (step === wanted || step.startsWith(`${wanted} `)) appendFileSync(log, 'theirs\n')
  }
  return { view, hash, disk, journals, log, servedAt }
}

const conflict = { code: 'effect_conflict' }

describe.runIf(hasOverlays).each(overlayKinds)('what others write, as an ordinary user: $user', ({ user }) => {
  test.each(['copy', 'plan', 'write'])('a line appended before the step %s is a conflict, and stays', async (step) => {
    await using overlays = await startOverlays({ user })
    const { view, hash, disk, journals, log, servedAt } = await prepare(
      overlays,
      'echo mine >> log; echo n > n; rm other',
    )
    await expect(applyEffect(view, hash, { journals, onStep: servedAt(step) })).rejects.toMatchObject(conflict)
    expect(readFileSync(log, 'utf8')).toBe('first\ntheirs\n')
    expect(readdirSync(disk).sort()).toEqual(['log', 'other'])
    expect(readdirSync(journals)).toEqual([])
  })

  test('a line appended to a file of which only the mode changes is a conflict, and its time stays', async () => {
    await using overlays = await startOverlays({ user })
    const { view, hash, journals, log, servedAt } = await prepare(overlays, 'chmod 600 log')
    const { mtimeMs, mode } = statSync(log)
    const applying = applyEffect(view, hash, { journals, onStep: servedAt('attributes') })
    await expect(applying).rejects.toMatchObject(conflict)
    expect(readFileSync(log, 'utf8')).toBe('first\ntheirs\n')
    expect(statSync(log).mtimeMs).toBeGreaterThan(mtimeMs)
    expect(statSync(log).mode).toBe(mode)
    expect(readdirSync(journals)).toEqual([])
  })

  test('a line appended to what was just written is kept, also by the next start; the old content is in the journal', async () => {
    await using overlays = await startOverlays({ user })
    const { view, hash, journals, log, servedAt } = await prepare(overlays, 'echo mine >> log')
    const applying = applyEffect(view, hash, { journals, onStep: servedAt('attributes') })
    await expect(applying).rejects.toMatchObject({ ...conflict, details: { paths: [log] } })
    expect(readFileSync(log, 'utf8')).toBe('first\nmine\ntheirs\n')
    expect(await recover({ journals })).toMatchObject([{ outcome: 'rolled-back', leftAlone: [log] }])
    expect(readFileSync(log, 'utf8')).toBe('first\nmine\ntheirs\n')
    expect(existsSync(join(journals, view.id))).toBe(true)
  })

  test.each(['sync', 'applied'])('a line appended at the step %s is not taken for the own by an undo', async (step) => {
    await using overlays = await startOverlays({ user })
    const { view, hash, journals, log, servedAt } = await prepare(overlays, 'echo mine >> log')
    await applyEffect(view, hash, { journals, onStep: servedAt(step) })
    await expect(undoEffect(view.id, { journals })).rejects.toMatchObject(conflict)
    expect(readFileSync(log, 'utf8')).toBe('first\nmine\ntheirs\n')
  })

  test.each(['undoing', 'undo attributes', 'undo write'])('an undo leaves a line appended at %s', async (step) => {
    await using overlays = await startOverlays({ user })
    const { view, hash, journals, log, servedAt } = await prepare(overlays, 'echo mine >> log')
    await applyEffect(view, hash, { journals })
    const undoing = undoEffect(view.id, { journals, onStep: servedAt(step) })
    await expect(undoing).rejects.toMatchObject({ ...conflict, details: { paths: [log] } })
    expect(readFileSync(log, 'utf8')).toBe('first\nmine\ntheirs\n')
  })

  test('a file that is moved, linked and written at once is applied and comes back when nobody else writes', async () => {
    await using overlays = await startOverlays({ user })
    const { view, hash, disk, journals, log } = await prepare(
      overlays,
      'mv log old; echo mine >> old; chmod 600 old; ln old older; echo new > log',
    )
    await applyEffect(view, hash, { journals })
    expect(readFileSync(join(disk, 'older'), 'utf8')).toBe('first\nmine\n')
    await undoEffect(view.id, { journals })
    expect(readFileSync(log, 'utf8')).toBe('first\n')
    expect(readdirSync(disk).sort()).toEqual(['log', 'other'])
  })
})
