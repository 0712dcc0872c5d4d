import { cpus } from 'node:os'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { countCores, parseCpuTimes } from './cpu.ts'

const sample = `cpu  100 20 30 4000 50 6 7 8 90 10
cpu0 50 10 15 2000 25 3 3 4 45 5
intr 1234
`

test('waiting for a disk is idle, and guest time is not counted twice', () => {
  expect(parseCpuTimes(sample)).toEqual({ total: 4221, idle: 4050 })
})

test('a file without the line of all processors is null', () => {
  expect(parseCpuTimes('cpu0 50 10 15 2000\n')).toBeNull()
})

test('no text makes the parser throw', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => parseCpuTimes(text) === null))
})

test('the cores are the logical processors of the machine', () => {
  expect(countCores()).toBe(cpus().length)
})
