import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createWindow } from './window.ts'

test('never more at once than the window has room for, of all and of each value of a label, and all of them run', async () => {
  const zones = fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined })
  const racks = fc.option(fc.constantFrom('1', '2'), { nil: undefined })
  const limits = fc.record({ total: fc.integer({ min: 1, max: 6 }), zone: fc.integer({ min: 1, max: 3 }) })
  await fc.assert(
    fc.asyncProperty(limits, fc.array(fc.tuple(zones, racks), { maxLength: 40 }), async ({ total, zone }, machines) => {
      const window = createWindow({ total, per: { zone, rack: 2 } })
      const now = new Map<string, number>()
      let most = 0
      let done = 0
      const enter = (key: string, by: number) => now.set(key, (now.get(key) ?? 0) + by)
      await Promise.all(
        machines.map(([inZone, inRack], index) => {
          const labels = { ...(inZone && { zone: inZone }), ...(inRack && { rack: inRack }) }
          return window(labels, async () => {
            for (const key of ['all', `zone ${inZone}`, `rack ${inRack}`]) enter(key, 1)
            most = Math.max(most, now.get('all') ?? 0)
            if (inZone !== undefined) expect(now.get(`zone ${inZone}`)).toBeLessThanOrEqual(zone)
            if (inRack !== undefined) expect(now.get(`rack ${inRack}`)).toBeLessThanOrEqual(2)
            for (let turns = index % 3; turns >= 0; turns -= 1) await Promise.resolve()
            for (const key of ['all', `zone ${inZone}`, `rack ${inRack}`]) enter(key, -1)
            done += 1
          })
        }),
      )
      expect(done).toBe(machines.length)
      expect(most).toBeLessThanOrEqual(total)
    }),
  )
})

test('a window without room is refused', () => {
  for (const wrong of [0, -1, 1.5, { total: 0 }, { per: { zone: 0 } }])
    expect(() => createWindow(wrong)).toThrow(expect.objectContaining({ code: 'validation' }))
})
