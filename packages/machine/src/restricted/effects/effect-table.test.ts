import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EffectInfo } from '@cmdop/protocol'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EffectStore } from './effect-store.ts'
import { EffectTable } from './effect-table.ts'
import { MAX_EFFECTS, PENDING_MS } from './known-effects.ts'

const human = { principalKind: 'human' } as const

let base = ''
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'cmdop-effects-'))
})
afterEach(() => rmSync(base, { recursive: true }))

const newTable = (now: () => number = Date.now, maxPendingBytes?: number) =>
  new EffectTable({
    folder: join(base, 'effects'),
    journals: join(base, 'journals'),
    states: join(base, 'views'),
    deferred: [],
    log: pino({ level: 'silent' }),
    now,
    maxPendingBytes,
  })

/** An effect that an earlier daemon kept, with its state folder. */
function keep(effectId: string, change: Partial<EffectInfo> = {}): void {
  const folder = join(base, 'views', effectId)
  const layers = [{ root: '/', upper: join(folder, 'u') }]
  mkdirSync(join(folder, 'u'), { recursive: true })
  const at = new Date().toISOString()
  new EffectStore(join(base, 'effects')).save({
    info: {
      effectId,
      kind: 'exec',
      title: 'true',
      state: 'pending',
      hash: 'ab'.repeat(32),
      counts: { added: 1 },
      restrictions: { dryRun: true },
      createdBy: { principalId: 'prn_one', principalKind: 'human', name: 'One' },
      createdAt: at,
      changedAt: at,
      ...change,
    },
    view: { id: effectId, folder, layers, flavour: 'trusted', marker: join(folder, 'marker'), unpreviewable: [] },
  })
}

describe('the table of effects', () => {
  test('knows what an earlier daemon kept, and removes views that nothing needs', async () => {
    keep('call_pending')
    keep('call_applied', { state: 'applied' })
    mkdirSync(join(base, 'views', 'call_unknown'))
    const table = newTable()
    await table.start()
    expect(table.list(10).map(({ effectId, state }) => [effectId, state])).toEqual(
      expect.arrayContaining([
        ['call_pending', 'pending'],
        ['call_applied', 'applied'],
      ]),
    )
    expect(['call_pending', 'call_applied', 'call_unknown'].map((id) => existsSync(join(base, 'views', id)))).toEqual([
      true,
      false,
      false,
    ])
  })

  test('forgets an effect whose view is gone, and a record that was not written to its end', async () => {
    keep('call_without')
    rmSync(join(base, 'views', 'call_without'), { recursive: true })
    writeFileSync(join(base, 'effects', 'call_half.json'), '{"info":')
    const table = newTable()
    await table.start()
    expect(table.list(10)).toEqual([])
    await expect(table.get('call_without')).rejects.toMatchObject({ code: 'not_found' })
  })

  test(`keeps ${MAX_EFFECTS}, first of all those that wait, and these for a week`, async () => {
    const at = (number: number) => ({ changedAt: new Date(Date.now() - number * 1000).toISOString() })
    for (let number = 0; number < MAX_EFFECTS; number += 1)
      keep(`call_done_${number}`, { state: 'discarded', ...at(number) })
    for (let number = 0; number < 5; number += 1) keep(`call_wait_${number}`, at(1000 + number))
    const table = newTable()
    await table.start()
    const known = table.list(1000)
    expect(known).toHaveLength(MAX_EFFECTS)
    expect(known.filter(({ state }) => state === 'pending')).toHaveLength(5)
    expect(known.map(({ effectId }) => effectId)).not.toContain(`call_done_${MAX_EFFECTS - 1}`)
    const later = newTable(() => Date.now() + PENDING_MS)
    await later.start()
    expect(later.list(1000).filter(({ state }) => state === 'pending')).toEqual([])
    expect(existsSync(join(base, 'views', 'call_wait_0'))).toBe(false)
  })

  test('begins nothing while what waits takes more of the disk than it may, also of an earlier daemon', async () => {
    keep('call_large')
    writeFileSync(join(base, 'views', 'call_large', 'u', 'file'), Buffer.alloc(200_000, 'x'))
    const table = newTable(Date.now, 100_000)
    await table.start()
    const full = expect.objectContaining({ code: 'no_space', details: expect.objectContaining({ waiting: 1 }) })
    expect(() => table.refuseWhenFull()).toThrow(full)
    await table.discard('call_large', human)
    table.refuseWhenFull()
  })

  test('lets an AI decide on nothing, and decides once', async () => {
    keep('call_pending')
    const table = newTable()
    await table.start()
    const robot = { principalKind: 'ai' } as const
    await expect(async () => table.apply('call_pending', 'ab'.repeat(32), robot)).rejects.toMatchObject({
      code: 'permission',
    })
    await expect(async () => table.discard('call_pending', robot)).rejects.toMatchObject({ code: 'permission' })
    await expect(async () => table.undo('call_pending', robot)).rejects.toMatchObject({ code: 'permission' })
    await expect(table.undo('call_pending', human)).rejects.toMatchObject({ code: 'conflict' })
    expect(await table.discard('call_pending', human)).toMatchObject({ state: 'discarded' })
    expect(await table.discard('call_pending', human)).toMatchObject({ state: 'discarded' })
    await expect(table.apply('call_pending', 'ab'.repeat(32), human)).rejects.toMatchObject({ code: 'conflict' })
    await expect(table.apply('call_unknown', 'ab'.repeat(32), human)).rejects.toMatchObject({ code: 'not_found' })
  })
})
