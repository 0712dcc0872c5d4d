import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PinLock, setMachinePin } from './pin-lock.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-pin-'))
  await setMachinePin(folder, '2468')
})
afterEach(() => rm(folder, { recursive: true }))

const state = async () =>
  JSON.parse(await readFile(join(folder, 'pin.json'), 'utf8')) as { lockedUntil: number; lockouts: number }

/** As if the time of the lock were over, and somebody had been wrong so often since. */
async function open(attempts: number): Promise<void> {
  await writeFile(join(folder, 'pin.json'), JSON.stringify({ ...(await state()), lockedUntil: 1, attempts }))
}

/** The minutes for which so many wrong PINs lock the machine. */
async function lock(attempts: number): Promise<number> {
  const before = Date.now()
  for (let left = attempts; left > 0; left -= 1) {
    expect((await state()).lockedUntil).toBeLessThan(2)
    expect(await new PinLock(folder).verify('0000')).toContain('wrong')
  }
  return Math.round(((await state()).lockedUntil - before) / 60_000)
}

test('Five wrong PINs lock the machine, each time twice as long, until the right one comes', async () => {
  expect(await lock(5)).toBe(15)
  expect(await new PinLock(folder).verify('2468')).toContain('locked until')
  await open(4)
  expect(await lock(1)).toBe(30)
  await open(4)
  expect(await lock(1)).toBe(60)
  await open(4)
  expect(await new PinLock(folder).verify('2468')).toBeUndefined()
  expect(await lock(5)).toBe(15)
})

test('The PIN is nowhere in what is kept', async () => {
  expect(await readFile(join(folder, 'pin.json'), 'utf8')).not.toContain('2468')
})
