import { type Quantity, type Reading, sizeUnits } from './reading.ts'

/** A thing of a size that is used in part. */
export interface Capacity {
  readonly totalBytes: number
  readonly usedBytes: number
  readonly availableBytes: number
  readonly usedPercent: number
}

/**
 * The readings of a memory or a disk. A size needs its unit in the field's words, because a figure in the wrong unit is
 * worse than none; a share needs `percent` or `usage`.
 */
export function capacityReadings(
  fact: string,
  subject: readonly string[],
  may: readonly string[],
  capacity: Capacity | null | undefined,
): Reading[] {
  const units = Object.keys(sizeUnits)
  const free = ['free', 'available']
  const size = (value: number | undefined): Quantity => ({ kind: 'number', value: value ?? null, unit: 'bytes' })
  const share = (value: number | undefined): Quantity => ({ kind: 'number', value: value ?? null, unit: 'percent' })
  return [
    {
      fact,
      needs: [subject, ['percent', 'usage']],
      may: [...may, 'used', 'use'],
      read: () => share(capacity?.usedPercent),
    },
    {
      fact,
      needs: [subject, free, ['percent']],
      may,
      read: () => share(capacity ? 100 - capacity.usedPercent : undefined),
    },
    {
      fact,
      needs: [subject, ['total', 'size', 'capacity', 'installed'], units],
      may,
      read: () => size(capacity?.totalBytes),
    },
    { fact, needs: [subject, ['used', 'usage', 'use'], units], may, read: () => size(capacity?.usedBytes) },
    { fact, needs: [subject, free, units], may, read: () => size(capacity?.availableBytes) },
  ]
}
