import { chmodSync, lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { joinBytes } from '../disk/path-bytes.ts'

/** Removes a folder of ours with all in it: names of any bytes, directories of any mode, links not followed, other mounts left. */
export function removeTree(path: Buffer, device = lstatSync(path, { throwIfNoEntry: false, bigint: true })?.dev): void {
  const stats = lstatSync(path, { throwIfNoEntry: false, bigint: true })
  if (!stats || stats.dev !== device) return
  if (!stats.isDirectory()) return unlinkSync(path)
  if ((Number(stats.mode) & 0o700) !== 0o700) chmodSync(path, 0o700)
  for (const name of readdirSync(path, { encoding: 'buffer' })) removeTree(joinBytes(path, name), device)
  rmdirSync(path)
}
