import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { auditFields, type AuditListing, type AuditRow, unindexedFields } from '../audit-store.ts'
import type { Store } from '../store.ts'
import { addFleet, at, auditRow, newId, type OpenStore, sealedRows } from './world.ts'

/** The audit log. */
export function describeAudit(open: OpenStore): void {
  describe('audit', () => {
    it('gives every field back as it was given', async () => {
      await using world = await open()
      const fleetId = newId('fleet')
      const intent = auditRow(fleetId)
      const outcome = fullRow(fleetId, intent)
      const [first, second] = sealedRows([intent, outcome])
      await world.store.audit.append([first, second].filter((row) => row !== undefined))
      const listed = await world.store.audit.list(fleetId, { limit: 10 })
      expect(listed.map(({ row }) => row)).toEqual([intent, outcome])
      expect(listed[1]).toMatchObject({ chain: second?.chain, sequence: 2 })
      expect(await world.store.audit.get(outcome.id)).toEqual(outcome)
      expect(await world.store.audit.get(newId('audit'))).toBeUndefined()
    })

    it('refuses a second row of the same id, or at the same place, and then adds none of them', async () => {
      await using world = await open()
      const { fleet } = await addFleet(world.store)
      const row = auditRow(fleet.id)
      await world.store.audit.append(sealedRows([row], { chain: 'main' }))
      const refused = { code: 'conflict' }
      const same = sealedRows([auditRow(fleet.id), { ...row, action: 'other' }], { chain: 'main', from: 2 })
      await expect(world.store.audit.append(same)).rejects.toMatchObject(refused)
      const taken = sealedRows([auditRow(fleet.id), auditRow(fleet.id)], { chain: 'main', from: 0 })
      await expect(world.store.audit.append(taken)).rejects.toMatchObject(refused)
      expect((await world.store.audit.list(fleet.id, { limit: 9 })).map((entry) => entry.row)).toEqual([row])
    })

    it('finds rows by each of their fields, of one fleet only', async () => {
      await using world = await open()
      const fleetId = newId('fleet')
      const intent = auditRow(fleetId)
      const full = fullRow(fleetId, intent)
      await world.store.audit.append(sealedRows([intent, full, fullRow(newId('fleet'), intent)].slice(0, 2)))
      await world.store.audit.append(sealedRows([fullRow(newId('fleet'), intent)]))
      const found = async (listing: Omit<AuditListing, 'limit'>) =>
        (await world.store.audit.list(fleetId, { limit: 9, ...listing })).map(({ row }) => row.id)
      for (const field of [...auditFields, ...unindexedFields])
        expect(await found({ [field]: full[field] }), field).toEqual([full.id])
      expect(await found({ rowId: full.id })).toEqual([full.id])
      expect(await found({ sequence: 2 })).toEqual([full.id])
      const { durationMs } = full
      expect(durationMs).toBeTypeOf('number')
      const took = durationMs ?? 0
      expect(await found({ durationMin: took, durationMax: took })).toEqual([full.id])
      expect(await found({ durationMin: took + 1 })).toEqual([])
      expect(await found({ durationMax: took - 0.5 })).toEqual([])
      expect(await found({ actionPrefix: 'session.' })).toEqual([full.id])
      expect(await found({ actionPrefix: 'exec' })).toEqual([intent.id])
      expect(await found({ ofIntent: intent.id })).toEqual([intent.id, full.id])
      expect(await found({ since: at(3) })).toEqual([full.id])
      expect(await found({ until: at(3) })).toEqual([intent.id])
      expect(await found({ order: 'newest' })).toEqual([full.id, intent.id])
      expect(await found({ decision: 'ask' })).toEqual([])
    })

    it('knows the chains, their last rows, their rows in order, and the newest row of an action', async () => {
      await using world = await open()
      const { audit } = world.store
      const fleetId = newId('fleet')
      const rows = ['relay.start', 'exec', 'relay.start', 'exec'].map((action) => auditRow(fleetId, { action }))
      const sealed = sealedRows(rows, { chain: 'main' })
      for (const chain of ['main', 'other', 'main']) await audit.begin(fleetId, chain)
      await audit.append(sealed)
      expect(await audit.chains(fleetId)).toEqual(['main', 'other'].map((chain) => ({ fleetId, chain })))
      expect(await audit.chains()).toContainEqual({ fleetId, chain: 'other' })
      expect(await audit.head(fleetId, 'main')).toEqual(sealed[3])
      expect(await audit.head(fleetId, 'other')).toBeUndefined()
      const place = { fleetId, chain: 'main' }
      expect(await audit.sealed(place, { after: 1, until: 3, limit: 9 })).toEqual(sealed.slice(1, 3))
      expect(await audit.sealed(place, { after: 1, until: 9, limit: 2 })).toEqual(sealed.slice(1, 3))
      expect(await audit.newest(fleetId, 'main', 'relay.start')).toEqual(sealed[2])
      expect(await audit.newest(fleetId, 'other', 'relay.start')).toBeUndefined()
    })

    it('tells which intents have no outcome, wherever that was written', async () => {
      await using world = await open()
      const { audit } = world.store
      const fleetId = newId('fleet')
      const rows = [1, 2, 3, 4].map(() => auditRow(fleetId))
      const [old, ended, open_, endedElsewhere] = rows as [AuditRow, AuditRow, AuditRow, AuditRow]
      const outcomeOf = ({ id }: AuditRow) => auditRow(fleetId, { kind: 'outcome', intentId: id })
      const denied = auditRow(fleetId, { decision: 'deny' })
      const sealed = sealedRows([...rows, denied, outcomeOf(ended)], { chain: 'main' })
      await audit.append(sealed)
      await audit.append(sealedRows([outcomeOf(endedElsewhere)], { chain: 'main~1' }))
      const opened = async (from: number) => await audit.openIntents({ fleetId, chain: 'main', from, limit: 9 })
      expect(await opened(2)).toEqual([sealed[2]])
      expect((await opened(1)).map(({ sequence }) => sequence)).toEqual([1, 3])
      expect([old, open_].map(({ id }) => id)).toEqual([rows[0]?.id, rows[2]?.id])
    })

    it('keeps the order of each writer when many write at once, and pages neither lose nor repeat a row', async () => {
      await using world = await open()
      const writers = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 })
      const property = fc.asyncProperty(writers, fc.integer({ min: 1, max: 20 }), async (lengths, limit) => {
        const fleetId = newId('fleet')
        const write = async (length: number, writer: number): Promise<void> => {
          for (let index = 0; index < length; index += 1) {
            const row = auditRow(fleetId, { callId: `writer-${writer}`, durationMs: index })
            await world.store.audit.append(sealedRows([row]))
          }
        }
        await Promise.all(lengths.map(write))
        const entries = []
        for (let after = 0, more = true; more; after = entries.at(-1)?.position ?? after) {
          const page = await world.store.audit.list(fleetId, { limit, after })
          entries.push(...page)
          more = page.length === limit
        }
        const positions = entries.map(({ position }) => position)
        expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b))
        for (const [writer, length] of lengths.entries()) {
          const own = entries.filter(({ row }) => row.callId === `writer-${writer}`)
          expect(own.map(({ row }) => row.durationMs)).toEqual(Array.from({ length }, (_, index) => index))
        }
      })
      await fc.assert(property, { numRuns: 25 })
    })
  })

  describe('audit checkpoints', () => {
    it('are listed in order, one for each number', async () => {
      await using world = await open()
      const { auditCheckpoints } = world.store
      const fleetId = newId('fleet')
      const all = [1, 2, 3].map((number) => ({ fleetId, number, body: `body ${number}`, signature: 'signed' }))
      for (const checkpoint of all) await auditCheckpoints.add(checkpoint)
      await expect(auditCheckpoints.add({ ...all[0], body: 'other' } as never)).rejects.toMatchObject({
        code: 'conflict',
      })
      expect(await auditCheckpoints.newest(fleetId)).toEqual(all[2])
      expect(await auditCheckpoints.newest(newId('fleet'))).toBeUndefined()
      expect(await auditCheckpoints.list(fleetId, { after: 1, limit: 9 })).toEqual(all.slice(1))
      expect(await auditCheckpoints.list(fleetId, { after: 0, limit: 1 })).toEqual(all.slice(0, 1))
    })

    it('are kept while somebody holds them', async () => {
      await using world = await open()
      const { audit, auditCheckpoints } = world.store
      const [fleetId, other] = [newId('fleet'), newId('fleet')]
      for (const each of [fleetId, other]) {
        await audit.append(sealedRows([auditRow(each)], { chain: 'main' }))
        const heads = [{ chain: 'main', sequence: 1 }]
        await auditCheckpoints.addAnchor({ fleetId: each, number: 1, body: 'body', signature: 'signed', heads })
      }
      const until = (ms: number) => new Date(Date.now() + ms).toISOString()
      const hold = { id: newId('hold'), fleetId }
      expect(await auditCheckpoints.hold({ ...hold, until: until(60_000) })).toBe(false)
      expect(await auditCheckpoints.hold({ ...hold, until: until(90_000) })).toBe(true)
      expect(await auditCheckpoints.prune(fleetId, 9)).toBe('held')
      expect(await auditCheckpoints.prune(other, 9)).toBe(1)
      await auditCheckpoints.hold({ ...hold, until: until(-1) })
      expect(await auditCheckpoints.hold({ ...hold, until: until(60_000) })).toBe(false)
      await auditCheckpoints.release(hold.id)
      expect(await auditCheckpoints.prune(fleetId, 9)).toBe(1)
    })

    it('are pruned with the rows up to an anchor, and nothing else is', async () => {
      await using world = await open()
      const { audit, auditCheckpoints } = world.store
      const fleetId = newId('fleet')
      const write = async (chain: string) => {
        await audit.begin(fleetId, chain)
        await audit.append(
          sealedRows(
            [1, 2, 3, 4].map(() => auditRow(fleetId)),
            { chain },
          ),
        )
      }
      for (const chain of ['main', 'other']) await write(chain)
      const signed = { fleetId, body: 'body', signature: 'signed' }
      for (const number of [1, 2]) await auditCheckpoints.add({ ...signed, number })
      expect(await auditCheckpoints.prune(fleetId, 3)).toBe(0)
      expect(await auditCheckpoints.anchor(fleetId)).toBeUndefined()
      const heads = [
        { chain: 'main', sequence: 3 },
        { chain: 'other', sequence: 1 },
      ]
      await auditCheckpoints.addAnchor({ ...signed, number: 1, heads })
      expect(await auditCheckpoints.anchor(fleetId)).toEqual({ body: 'body', signature: 'signed' })
      const removed = []
      for (let count = -1; count !== 0; removed.push(count)) count = Number(await auditCheckpoints.prune(fleetId, 2))
      expect(removed.reduce((sum, count) => sum + count)).toBe(5)
      expect(await sequences(world.store, fleetId, 'main')).toEqual([4])
      expect(await sequences(world.store, fleetId, 'other')).toEqual([2, 3, 4])
      expect((await auditCheckpoints.list(fleetId, { after: 0, limit: 9 })).map(({ number }) => number)).toEqual([2])
    })
  })
}

async function sequences({ audit }: Store, fleetId: string, chain: string): Promise<number[]> {
  const rows = await audit.sealed({ fleetId, chain }, { after: 0, until: 99, limit: 99 })
  return rows.map(({ sequence }) => sequence)
}

/** An outcome with everything that a row can say. */
function fullRow(fleetId: string, intent: AuditRow): AuditRow {
  return auditRow(fleetId, {
    kind: 'outcome',
    at: at(4),
    action: 'session.attach',
    decision: 'deny',
    intentId: intent.id,
    principalId: 'principal_2',
    principalKind: 'ai',
    principalName: 'Robot "1"',
    onBehalfOf: 'principal_3',
    keyId: 'key_1',
    machineId: 'machine_1',
    sessionId: 'session_1',
    runId: 'run_1',
    agentType: 'terminal',
    model: 'scripted',
    callId: 'call_1',
    subject: 'key:1',
    digest: 'ef'.repeat(32),
    rule: 'rule_1',
    approvalId: 'approval_1',
    code: 'permission',
    exitCode: 137,
    durationMs: 12.5,
    requestId: 'request_1',
    bytes: 7,
    offset: 3,
  })
}
