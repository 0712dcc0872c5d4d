import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addFleet, auditRow, newId, type OpenStore } from './world.ts'

/** The audit log. */
export function describeAudit(open: OpenStore): void {
  describe('audit', () => {
    it('gives every field back as it was given', async () => {
      await using world = await open()
      const fleetId = newId('fleet')
      const intent = auditRow(fleetId)
      const outcome = auditRow(fleetId, {
        kind: 'outcome',
        intentId: intent.id,
        machineId: 'machine_1',
        callId: 'call_1',
        digest: 'ef'.repeat(32),
        decision: 'deny',
        code: 'permission',
        exitCode: 137,
        durationMs: 12.5,
        requestId: 'request_1',
      })
      await world.store.audit.append(intent)
      await world.store.audit.append(outcome)
      const listed = await world.store.audit.list(fleetId, { limit: 10 })
      expect(listed.map(({ row }) => row)).toEqual([intent, outcome])
      expect(await world.store.audit.get(outcome.id)).toEqual(outcome)
      expect(await world.store.audit.get(newId('audit'))).toBeUndefined()
    })

    it('refuses a second row of the same id', async () => {
      await using world = await open()
      const { fleet } = await addFleet(world.store)
      const row = auditRow(fleet.id)
      await world.store.audit.append(row)
      await expect(world.store.audit.append({ ...row, action: 'other' })).rejects.toMatchObject({ code: 'conflict' })
      expect((await world.store.audit.list(fleet.id, { limit: 9 })).map((entry) => entry.row)).toEqual([row])
    })

    it('lists the rows of one fleet, of one call or of one machine', async () => {
      await using world = await open()
      const fleetId = newId('fleet')
      const rows = [
        auditRow(fleetId, { callId: 'call_1', machineId: 'machine_1' }),
        auditRow(fleetId, { callId: 'call_2', machineId: 'machine_1' }),
        auditRow(fleetId, { callId: 'call_1', machineId: 'machine_2' }),
        auditRow(newId('fleet'), { callId: 'call_1', machineId: 'machine_1' }),
      ]
      for (const row of rows) await world.store.audit.append(row)
      const list = async (page: { callId?: string; machineId?: string }) => {
        const listed = await world.store.audit.list(fleetId, { limit: 9, ...page })
        return listed.map(({ row }) => rows.findIndex(({ id }) => id === row.id))
      }
      expect(await list({})).toEqual([0, 1, 2])
      expect(await list({ callId: 'call_1' })).toEqual([0, 2])
      expect(await list({ machineId: 'machine_1' })).toEqual([0, 1])
      expect(await list({ callId: 'call_1', machineId: 'machine_2' })).toEqual([2])
    })

    it('keeps the order of each writer when many write at once, and pages neither lose nor repeat a row', async () => {
      await using world = await open()
      const writers = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 })
      const property = fc.asyncProperty(writers, fc.integer({ min: 1, max: 20 }), async (lengths, limit) => {
        const fleetId = newId('fleet')
        const write = async (length: number, writer: number): Promise<void> => {
          for (let index = 0; index < length; index += 1) {
            await world.store.audit.append(auditRow(fleetId, { callId: `writer-${writer}`, durationMs: index }))
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
}
