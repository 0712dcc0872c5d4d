import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { seeded } from '@cmdop/example-local-system'

export const faultNames = ['none', 'does-not-start', 'wrong-tax', 'needs-config'] as const

/** What is wrong with a release. `none` is the control; with `needs-config` it is wrong on the machines that lack a setting. */
export type FaultName = (typeof faultNames)[number]

const web = fileURLToPath(new URL('web', import.meta.url))

/** Builds a release in a folder: the service, its tests, and what it is. */
export async function buildRelease(
  folder: string,
  { version, fault, seed }: { version: string; fault: FaultName; seed: ReturnType<typeof seeded> },
): Promise<void> {
  await mkdir(folder, { recursive: true })
  await cp(web, folder, { recursive: true })
  const taxPercent = fault === 'wrong-tax' ? seed.of([0, 7, 16, 20]) : 19
  const needs = fault === 'needs-config' ? { needs: 'warehouse' } : {}
  const release = JSON.stringify({ version, taxPercent, ...needs })
  const kept = fault === 'does-not-start' ? release.slice(0, seed.between(1, release.length - 1)) : release
  await writeFile(join(folder, 'release.json'), kept)
  await writeFile(join(folder, 'tests.sh'), `#!/bin/sh\nexec '${process.execPath}' "$(dirname "$0")/tests.ts" "$1"\n`)
}
