import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EffectInfo } from '@cmdop/protocol'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EffectStore } from './effect-store.ts'
import { EffectTable } from './effect-table.ts'
import { KnownEffects, MAX_EFFECTS, PENDING_MS } from './known-effects.ts'
import type { RunningTransaction } from './transaction.ts'

const human = { principalKind: 'human' } as const

const log = pino({ level: 'silent' })

let base = ''
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'cmdop-effects-'))
})
afterEach(async () => {
  for (const table of tables.splice(0)) await table.close()
  rmSync(base, { recursive: true })
})

/** A command that is under way, with a view of its own over a folder, in which it made a file. */
function begin(table: EffectTable, id: string, running?: RunningTransaction) {
  const [disk, folder] = [join(base, `disk-${id}`), join(base, 'views', id)]
  const upper = join(folder, 'u')
  for (const path of [disk, upper]) mkdirSync(path, { recursive: true })
  writeFileSync(join(folder, 'marker'), readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
  const view = { id, folder, layers: [{ root: disk, upper }], flavour: 'user', marker: join(folder, 'marker') } as const
  const createdBy = { principalId: 'prn_one', principalKind: 'human', name: 'One' } as const
  const origin = { effectId: id, kind: 'exec', title: 'make', restrictions: { noDelete: true }, createdBy } as const
  const transaction = { origin, view, keptAs: () => id, ...(running && { running }) }
  table.begin(transaction)
  writeFileSync(join(upper, 'made'), id)
  return { transaction, disk }
}

const sideEffects = { network: 'none', networkAttempts: 0, backgroundKilled: 0 } as const

const tables: EffectTable[] = []

function newTable(now: () => number = Date.now, maxPendingBytes?: number): EffectTable {
  const table = new EffectTable({
    folder: join(base, 'effects'),
    journals: join(base, 'journals'),
    states: join(base, 'views'),
    deferred: [],
    log,
    now,
    maxPendingBytes,
  })
  tables.push(table)
  return table
}

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

  test('keeps an applied effect beside all others for as long as it can be undone, but its list', async () => {
    const table = newTable()
    await table.start()
    const { transaction, disk } = begin(table, 'call_first')
    expect(await table.settle(transaction, { sideEffects, isJudged: true })).toMatchObject({ state: 'applied' })
    for (let number = 0; number < MAX_EFFECTS + 5; number += 1) {
      keep(`call_applied_${number}`, { state: 'applied' })
      mkdirSync(join(base, 'journals', `call_applied_${number}`))
      keep(`call_done_${number}`, { state: 'discarded' })
    }
    const later = new KnownEffects({ folder: join(base, 'effects'), journals: join(base, 'journals'), log })
    later.load()
    await later.prune(() => false)
    const states = later.all.map(({ info }) => info.state)
    expect(states.filter((state) => state === 'applied')).toHaveLength(MAX_EFFECTS + 6)
    expect(states.filter((state) => state === 'discarded')).toHaveLength(MAX_EFFECTS)
    expect(existsSync(join(base, 'effects', 'call_first.list'))).toBe(false)
    expect(await table.undo('call_first', human)).toMatchObject({ state: 'undone' })
    expect(existsSync(join(disk, 'made'))).toBe(false)
  })

  test('an effect is decided on by one at a time: not while it is being settled', async () => {
    const table = newTable()
    await table.start()
    const { transaction, disk } = begin(table, 'call_one')
    const settled = table.settle(transaction, { sideEffects, isJudged: false })
    await expect(table.discard('call_one', human)).rejects.toMatchObject({ code: 'conflict' })
    const { hash, state } = (await settled) ?? expect.fail('There is an effect.')
    expect(state).toBe('pending')
    expect(await table.apply('call_one', hash, human)).toMatchObject({ state: 'applied' })
    expect(readFileSync(join(disk, 'made'), 'utf8')).toBe('call_one')
  })

  test('what is settled while it is decided on waits for that', async () => {
    const table = newTable()
    await table.start()
    const decided: string[] = []
    const frozen = Promise.withResolvers<typeof sideEffects>()
    const frozenAt = Promise.withResolvers<void>()
    const { transaction } = begin(table, 'call_one', {
      freeze: () => {
        frozenAt.resolve()
        return frozen.promise
      },
      decided: async (outcome) => void decided.push(outcome),
    })
    const discarded = table.discard('call_one', human)
    await frozenAt.promise
    const settled = table.settle(transaction, { sideEffects, isJudged: false })
    frozen.resolve(sideEffects)
    expect(await discarded).toMatchObject({ state: 'discarded' })
    expect(await settled).toBeUndefined()
    expect(decided).toEqual(['gone'])
    expect(table.list(10).map(({ state }) => state)).toEqual(['discarded'])
  })

  test('a view that could not be frozen is let go, and can be decided on again', async () => {
    const table = newTable()
    await table.start()
    const decided: string[] = []
    const outcomes = [Promise.reject(new Error('The session is leaving.')), Promise.resolve(sideEffects)]
    begin(table, 'call_one', {
      freeze: () => outcomes.shift() ?? expect.fail('Twice is enough.'),
      decided: async (outcome) => void decided.push(outcome),
    })
    await expect(table.discard('call_one', human)).rejects.toThrow('is leaving')
    expect(await table.discard('call_one', human)).toMatchObject({ state: 'discarded' })
    expect(decided).toEqual(['kept', 'gone'])
  })

  test('a view of which only the mode of a root was changed, within a tick of the clock, is no untouched one', () => {
    const known = new KnownEffects({ folder: join(base, 'effects'), journals: join(base, 'journals'), log })
    for (let number = 0; number < 20; number += 1) {
      const { origin, view } = begin(newTable(), `call_number_${number}`).transaction
      known.begin(origin, view)
      chmodSync(view.layers[0].upper, 0o711)
      expect(known.isUntouched(view)).toBe(false)
    }
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
