import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StepError } from './libc.ts'
import { MS, bind, bindReadOnly, makeReadOnly, placeholder, tmpfs } from './mount-calls.ts'
import { type Mount, dataMounts, isWithin } from './mount-table.ts'
import { Overlays } from './overlay.ts'
import type { HostPlan, ViewReport } from './plan.ts'

type Tree = Pick<ViewReport, 'layers' | 'unpreviewable'>

const LEFT_OUT = 'It is a mounted socket, FIFO or device: it is empty in the view.'

/** What one tree is built from. */
interface Site {
  readonly plan: HostPlan
  /** Where the root of the view is being built. */
  readonly at: string
  readonly overlays: Overlays
  readonly mounts: readonly Mount[]
  readonly unpreviewable: { path: string; why: string }[]
}

/**
 * Builds the files of the view at `at`, on the calling thread and in its mount namespace: everything that the machine has but
 * processes, devices and kernel files. What cannot be covered is read-only and named.
 */
export function buildTree(plan: HostPlan, at: string): Tree {
  const overlays = new Overlays(plan)
  const mounts = dataMounts().filter(
    ({ path }) => ![plan.state, ...plan.hidden].some((folder) => isWithin(path, folder)),
  )
  const site: Site = { plan, at, overlays, mounts, unpreviewable: [] }
  if (plan.privilege === 'root') coverAll(site)
  else coverByDirectory(site)
  // Before what is changeable, which may be in one.
  for (const path of plan.scratch) coverScratch(site, path)
  for (const path of changeableRoots(site)) coverChangeable(site, path)
  if (plan.view === 'live') for (const path of plan.writable ?? []) bind(path, join(at, path), MS.REC)
  return { layers: overlays.layers, unpreviewable: site.unpreviewable }
}

/** Root: one overlay for the root, one for each mount below. */
function coverAll(site: Site): void {
  const isChangeable = site.plan.view === 'overlay' && site.plan.writable === undefined
  for (const mount of [{ path: '/', readOnly: false }, ...site.mounts]) cover(site, mount, isChangeable)
}

function cover(site: Site, mount: Pick<Mount, 'path' | 'readOnly'>, isChangeable: boolean): void {
  const target = join(site.at, mount.path)
  if (lstatSync(target, { throwIfNoEntry: false }) === undefined) return
  if (!lstatSync(mount.path).isDirectory()) return coverMountedFile(site, mount.path, target)
  if (isChangeable && mount.readOnly) site.unpreviewable.push({ path: mount.path, why: 'It is mounted read-only.' })
  try {
    if (isChangeable && !mount.readOnly) site.overlays.changeable(mount.path, target)
    else site.overlays.readOnly(mount.path, target)
  } catch (error) {
    // A view without a root would be none.
    if (!(error instanceof StepError) || mount.path === '/') throw error
    leaveOut(site, mount.path, error)
  }
}

/**
 * A mounted file. What is no data is covered: a read-only bind mount stops nobody from connecting to a socket, or from writing to a
 * FIFO or device.
 */
function coverMountedFile({ plan, unpreviewable }: Site, path: string, target: string): void {
  const isData = lstatSync(path).isFile()
  bindReadOnly(isData ? path : emptyFile(plan), target)
  unpreviewable.push({ path, why: isData ? 'It is a mounted file.' : LEFT_OUT })
}

function emptyFile({ state }: HostPlan): string {
  const path = join(state, 'empty-file')
  if (!existsSync(path)) writeFileSync(path, '', { mode: 0o444 })
  return path
}

/** What cannot be under an overlay is not shown at all: by a bind mount, the sockets and FIFOs in it would be those outside. */
function leaveOut({ at, unpreviewable }: Site, path: string, { errno }: StepError): void {
  tmpfs(join(at, path), 'mode=0555,size=4k', MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC)
  unpreviewable.push({ path, why: `Its file system cannot be under an overlay (${errno}): it is empty in the view.` })
}

/**
 * An ordinary user: a directory that has a mount somewhere below cannot be under an overlay, so it is made anew and its
 * entries are covered one by one.
 */
function coverByDirectory(site: Site): void {
  tmpfs(site.at, 'mode=0755', MS.NOSUID | MS.NODEV)
  coverEntries(site, '/')
}

function coverEntries(site: Site, folder: string): void {
  for (const entry of entries(site, folder)) {
    const path = join(folder, entry.name)
    const target = join(site.at, path)
    if (entry.isSymbolicLink()) symlinkSync(readlinkSync(path), target)
    else if (entry.isFile()) showFile(site, path, target)
    else if (entry.isDirectory()) coverDirectory(site, path, target)
  }
}

function entries({ unpreviewable }: Site, folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter(({ name }) => folder !== '/' || !isOwn(name))
  } catch {
    unpreviewable.push({ path: folder, why: 'It cannot be read.' })
    return []
  }
}

/** Built by the view itself. */
function isOwn(name: string): boolean {
  return name === 'proc' || name === 'sys' || name === 'dev'
}

/** The listing has what is below a mount: what is mounted there may be no file. */
function showFile({ unpreviewable }: Site, path: string, target: string): void {
  placeholder(target)
  if (lstatSync(path).isFile()) bindReadOnly(path, target)
  else unpreviewable.push({ path, why: LEFT_OUT })
}

function coverDirectory(site: Site, path: string, target: string): void {
  const hasMountBelow = site.mounts.some((mount) => mount.path !== path && isWithin(mount.path, path))
  mkdirSync(target)
  if (hasMountBelow) return coverEntries(site, path)
  try {
    site.overlays.readOnly(path, target)
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    leaveOut(site, path, error)
  }
}

/** Where changes are possible although the tree around is read-only. */
function changeableRoots({ plan }: Site): readonly string[] {
  if (plan.view !== 'overlay') return []
  return plan.privilege === 'root' ? (plan.writable ?? []) : plan.roots
}

/** Puts a changeable overlay over a directory, and over every mount below where that is possible. */
function coverChangeable(site: Site, path: string): void {
  const below = site.mounts.filter((mount) => mount.path !== path && isWithin(mount.path, path))
  if (site.plan.privilege !== 'root' && below.length > 0) {
    site.unpreviewable.push({ path, why: `Another file system is mounted in it, at ${below[0]?.path ?? ''}.` })
    return
  }
  site.overlays.changeable(path, join(site.at, path))
  for (const mount of below) cover(site, mount, true)
}

/** A directory for temporary files in a view that is read-only otherwise. */
function coverScratch(site: Site, path: string): void {
  const hasMountBelow = site.mounts.some((mount) => mount.path !== path && isWithin(mount.path, path))
  if (site.plan.privilege !== 'root' && hasMountBelow) return
  if (lstatSync(join(site.at, path), { throwIfNoEntry: false })?.isDirectory())
    site.overlays.scratch(path, join(site.at, path))
}

/** For an ordinary user the tree's own directory is writable until all mounts stand. */
export function sealTree(plan: HostPlan, at: string): void {
  if (plan.privilege === 'user') makeReadOnly(at)
}
