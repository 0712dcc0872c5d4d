import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CmdopError } from '@cmdop/protocol'
import { bootId } from './disk/boot-id.ts'
import type { View } from './view.ts'

/** Makes the marker of a view, in its state folder: its change time is when the view began, its content the boot. */
export function writeMarker(folder: string): void {
  writeFileSync(markerIn(folder), bootId())
}

/** Path of the marker in a state folder. */
export function markerIn(folder: string): string {
  return join(folder, 'marker')
}

/**
 * Overlays do not wait for the disk (`volatile`), so what a view held when the machine went down may be there in part only. Throws
 * `effect_conflict` for a view of an earlier boot.
 */
export function refuseOtherBoot({ marker }: Pick<View, 'marker'>): void {
  if (readFileSync(marker, 'utf8') === bootId()) return
  throw new CmdopError(
    'effect_conflict',
    'Nothing was applied: the machine was started again since the command ran, and its view may not be whole. Discard the effect and run the command again.',
    { details: { paths: [], reason: 'other_boot' } },
  )
}
