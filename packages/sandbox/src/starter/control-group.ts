import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ResourceLimits } from '@cmdop/protocol'
import { codeOf } from '../disk/system-error.ts'
import { unenforceable } from '../restrictions/unenforceable.ts'

/** What the host itself takes of a group: its threads, and its memory. */
const HOST_TASKS = 16
const HOST_BYTES = 64 * 1024 * 1024

/** How often a group is tried to be removed, and the pause between. */
const REMOVALS = 10
const REMOVAL_PAUSE_MS = 100

/** Where the kernel shows its groups, and in which this process is. Others in tests alone. */
export interface ControlGroups {
  readonly root: string
  /** Text of `/proc/self/cgroup`. */
  readonly own: string
}

/** A control group (cgroup v2) for everything in one sandbox: bounds that hold for all of it together. */
export class ControlGroup implements Disposable {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  /**
   * Makes one, where the limits ask for what only a group can hold. Throws `restriction_unenforceable` where the kernel's
   * controllers are not this process's to use.
   */
  static forLimits(id: string, limits: ResourceLimits | undefined, groups?: ControlGroups): ControlGroup | undefined {
    const wanted = settingsOf(limits)
    const [first] = wanted
    if (first === undefined) return undefined
    const { root, own } = groups ?? { root: '/sys/fs/cgroup', own: readFileSync('/proc/self/cgroup', 'utf8') }
    const above = groupAbove(root, own)
    const controllers = above === undefined ? [] : wordsOf(join(above, 'cgroup.controllers'))
    const missing = wanted.find(({ controller }) => !controllers.includes(controller))
    if (above === undefined || missing !== undefined) throw notHeld(missing ?? first, 'ENOENT')
    const path = join(above, `cmdop-${id}`)
    try {
      writeFileSync(join(above, 'cgroup.subtree_control'), wanted.map(({ controller }) => `+${controller}`).join(' '))
      mkdirSync(path)
    } catch (error) {
      throw notHeld(first, codeOf(error) ?? String(error))
    }
    const group = new ControlGroup(path)
    try {
      for (const { file, value } of wanted) writeFileSync(join(path, file), String(value))
      if (limits?.memoryMaxBytes !== undefined) group.#forbidSwap()
      return group
    } catch (error) {
      group[Symbol.dispose]()
      throw notHeld(first, codeOf(error) ?? String(error))
    }
  }

  /** Moves a process, and all that it starts from then on, into it. */
  add(pid: number): void {
    writeFileSync(join(this.#path, 'cgroup.procs'), String(pid))
  }

  /** Removes it. Whatever is in it is ended; while that takes a moment, it is tried again. Idempotent. */
  [Symbol.dispose](): void {
    try {
      if (existsSync(join(this.#path, 'cgroup.kill'))) writeFileSync(join(this.#path, 'cgroup.kill'), '1')
    } catch {
      // It is gone.
    }
    this.#remove(REMOVALS)
  }

  /** What is in the swap does not count as memory. A kernel without swap has no such file. */
  #forbidSwap(): void {
    const file = join(this.#path, 'memory.swap.max')
    try {
      writeFileSync(file, '0')
    } catch (error) {
      if (existsSync(file)) throw error
    }
  }

  #remove(tries: number): void {
    try {
      rmdirSync(this.#path)
    } catch (error) {
      // Its last process is ending. One that stays holds nothing.
      if (codeOf(error) !== 'ENOENT' && tries > 1) setTimeout(() => this.#remove(tries - 1), REMOVAL_PAUSE_MS).unref()
    }
  }
}

interface Setting {
  readonly limit: string
  readonly controller: string
  readonly file: string
  readonly value: number
}

function settingsOf(limits: ResourceLimits | undefined): readonly Setting[] {
  const { tasksMax, memoryMaxBytes } = limits ?? {}
  return [
    ...(tasksMax === undefined
      ? []
      : [{ limit: 'tasksMax', controller: 'pids', file: 'pids.max', value: tasksMax + HOST_TASKS }]),
    ...(memoryMaxBytes === undefined
      ? []
      : [{ limit: 'memoryMaxBytes', controller: 'memory', file: 'memory.max', value: memoryMaxBytes + HOST_BYTES }]),
  ]
}

/**
 * The group in which others can be made: a group with processes has none below it that are controlled, so the one above
 * that of this process; of the root, which is the exception, itself.
 */
function groupAbove(root: string, own: string): string | undefined {
  const path = own
    .split('\n')
    .find((line) => line.startsWith('0::'))
    ?.slice('0::'.length)
  if (path === undefined) return undefined
  return path === '/' ? root : dirname(join(root, path))
}

function wordsOf(file: string): readonly string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ') : []
}

function notHeld({ limit, controller }: Setting, errno: string) {
  return unenforceable({
    restriction: `limits.${limit}`,
    missing: `controller ${controller} of cgroup v2 for this process`,
    step: 'make a control group',
    errno,
    fix: 'Run the daemon as a service with Delegate=yes and DelegateSubgroup=daemon, or leave the limit out.',
  })
}
