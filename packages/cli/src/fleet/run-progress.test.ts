import type { FleetEvent } from '@cmdop/fleet'
import type { OutcomeName } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import { RunProgress } from './run-progress.ts'

const machine = (name: string) => ({ id: `mch_${name}`, name, hostname: name, labels: {} })

function began(name: string, wave: number): FleetEvent<null> {
  return { type: 'machine-start', wave, machine: machine(name) }
}

function ended(name: string, wave: number, outcome: OutcomeName = 'ok'): FleetEvent<null> {
  const rest = { result: null, error: null, attempts: 1, startedAt: 'x', durationMs: 1 }
  return { type: 'machine-end', row: { machine: machine(name), wave, outcome, ...rest } }
}

function wave(number: number, sizes: readonly number[]): FleetEvent<null> {
  return { type: 'wave-start', wave: number, sizes, machines: [] }
}

test('a run is shown by its waves, what was counted, who is waited for longest, and when it will be over', () => {
  const progress = new RunProgress(0)
  progress.see(wave(1, [1, 7]), 0)
  progress.see(began('a', 1), 0)
  expect(progress.lines(1000, 80)).toEqual([
    'wave 1/2  ........................  0/1',
    'wave 2/2  ........................  0/7',
    'none is done  1 running',
    'waiting for a 1 s',
  ])
  progress.see(ended('a', 1), 2000)
  progress.see(wave(2, [1, 7]), 2000)
  for (const [index, name] of ['b', 'c', 'd', 'e', 'f', 'g'].entries())
    progress.see(began(name, 2), 2000 + index * 1000)
  progress.see(ended('c', 2, 'failed'), 9000)
  progress.see(ended('d', 2), 10_000)
  expect(progress.lines(10_000, 80)).toEqual([
    'wave 1/2  ########################  1/1',
    'wave 2/2  ######..................  2/7',
    '2 ok, 1 failed  4 running  about 17 s left',
    'waiting for b 8 s, e 5 s, f 4 s',
  ])
  expect(progress.lines(10_000, 24)[3]).toBe('waiting for b 8 s, e 5 ')
})

test('of many waves those around the one that goes on are shown', () => {
  const progress = new RunProgress(0)
  const sizes = Array.from({ length: 20 }, () => 1)
  progress.see(wave(10, sizes), 0)
  const shown = progress.lines(0, 80).filter((line) => line.startsWith('wave'))
  expect(shown.map((line) => line.split(' ')[1])).toEqual(['8/20', '9/20', '10/20', '11/20', '12/20'])
})

test('a machine’s name does nothing to the terminal', () => {
  const progress = new RunProgress(0)
  progress.see(began('\u001b[2J\u001b]0;x\u0007\nx', 1), 0)
  // oxlint-disable-next-line no-control-regex -- these must not be there
  expect(progress.lines(0, 80).join('')).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
})
