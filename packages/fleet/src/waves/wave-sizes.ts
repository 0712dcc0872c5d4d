import { CmdopError } from '@cmdop/protocol'

/** Machines of a wave: so many, or a part of all targets: `25%`. */
export type WaveSize = number | `${number}%`

/**
 * How many machines each wave has. A percentage is of all targets, rounded down, and at least one machine; the last size is
 * repeated until every machine is in a wave: `[1, '25%']` of 10 is 1, 2, 2, 2, 2, 1. Throws `validation`.
 */
export function waveSizes(total: number, sizes: readonly WaveSize[]): number[] {
  const wanted = sizes.map((size) => Math.max(1, countOf(size, total, 'the size of a wave')))
  const last = wanted.at(-1)
  if (last === undefined) throw new CmdopError('validation', 'Expected the size of at least one wave.')
  const waves: number[] = []
  for (let left = total; left > 0;) {
    const size = Math.min(left, wanted[waves.length] ?? last)
    waves.push(size)
    left -= size
  }
  return waves
}

/** A count of machines, or a percentage of all, rounded down. Throws `validation`, saying what it is. */
export function countOf(size: number | string, total: number, what: string): number {
  if (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) return size
  const percent = typeof size === 'string' ? /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(size)?.[1] : undefined
  if (percent === undefined || Number(percent) > 100)
    throw new CmdopError(
      'validation',
      `Expected ${what} as a count of machines or a percentage up to 100%, got '${size}'.`,
    )
  // In whole millionths, so that 7% of 100 is 7 and not 7.000000000000001.
  return Math.floor((Math.round(Number(percent) * 1e6) * total) / 1e8)
}
