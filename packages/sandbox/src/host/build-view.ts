import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { addKernelFiles, missingDevices } from './kernel-files.ts'
import { libc, must } from './libc.ts'
import { MS, bindData, detach, tmpfs } from './mount-calls.ts'
import { type HostPlan, SHARED_FOLDER, type ViewReport } from './plan.ts'
import { buildTree, sealTree } from './tree.ts'

const CLONE_FS_AND_MOUNTS = 0x200 | 0x20000

/**
 * Gives the calling thread, alone of the process, a view of the machine as the plan says, and moves it there. What the thread
 * starts from now on is in the view; the other threads stay outside.
 */
export function buildView(plan: HostPlan): Pick<ViewReport, 'layers' | 'unpreviewable'> {
  const root = join(plan.state, 'm')
  must('unshare', libc().unshare(CLONE_FS_AND_MOUNTS))
  must('make mounts private', libc().mount('none', '/', null, MS.REC | MS.PRIVATE, null))
  if (plan.view === 'none') return { layers: [], unpreviewable: showOwnProcesses() }
  mkdirSync(root)
  const tree = buildTree(plan, root)
  const unpreviewable = [...tree.unpreviewable, ...(plan.view === 'overlay' ? missingDevices() : [])]
  addKernelFiles(plan, root)
  if (!plan.without?.includes('state-mask')) for (const folder of [plan.state, ...plan.hidden]) mask(root, folder)
  if (plan.shared !== undefined) share(root, plan.shared)
  sealTree(plan, root)
  must('chdir', libc().chdir(root))
  must('pivot_root', libc().syscall('pivot_root', Buffer.from('.\0'), Buffer.from('.\0')))
  detach('.')
  must('chdir', libc().chdir('/'))
  return { ...tree, unpreviewable }
}

/** Neither seen nor touched: the upper directories themselves, and what else the daemon keeps. */
function mask(root: string, folder: string): void {
  const path = join(root, folder)
  if (existsSync(path)) tmpfs(path, 'mode=0,size=4k', MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC)
}

/** The one directory outside that is seen where it is hidden, and no more of its surroundings. */
function share(root: string, folder: string): void {
  const path = join(root, SHARED_FOLDER)
  mkdirSync(path, { mode: 0o700 })
  bindData(folder, path)
}

/** The machine's files as they are, but for processes: those of other namespaces mean nothing to the commands. */
function showOwnProcesses(): [] {
  must('mount proc', libc().mount('proc', '/proc', 'proc', MS.NOSUID | MS.NODEV | MS.NOEXEC, null))
  return []
}
