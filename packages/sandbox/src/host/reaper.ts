import { readFileSync, readdirSync } from 'node:fs'
import { libc } from './libc.ts'

const WNOHANG = 1

/**
 * Waits for every process of the view, as its process 1 must: those that were started for the starter, whose ends it is
 * told, and those that their parents left behind.
 */
export class Reaper {
  readonly #onExit: (pid: number, status: number) => void
  readonly #status = new Int32Array(1)
  readonly #started = new Set<number>()
  /** Ends of what may be a program that is not known yet. */
  readonly #early = new Map<number, number>()
  #starting = 0
  #orphans = 0
  #onNone: (() => void) | undefined
  #killing: Promise<number> | undefined
  #isKilling = false

  constructor(onExit: (pid: number, status: number) => void) {
    this.#onExit = onExit
    process.on('SIGCHLD', () => this.#reap())
  }

  /** A program is about to be started. */
  starting(): void {
    this.#starting += 1
  }

  /** It was started, as this process, or not. */
  started(pid: number | undefined): void {
    this.#starting -= 1
    const status = pid === undefined ? undefined : this.#early.get(pid)
    if (pid !== undefined && status !== undefined) this.#onExit(pid, status)
    else if (pid !== undefined) this.#started.add(pid)
    if (this.#starting === 0) this.#early.clear()
    // It was on its way when all were ended.
    if (this.#isKilling) {
      killEveryone()
      this.#reap()
    }
  }

  /** Ends every process of the view, those that are being started too. Resolves, with how many lived that were not the starter's, when none is left. */
  killAll(): Promise<number> {
    // What ended by itself, and was not waited for yet, is not ended by this. Whoever is told of an end may call this again.
    if (this.#killing === undefined) this.#reap()
    return this.#killing ?? this.#killAll()
  }

  /** Known before anything is waited for: one that is called meanwhile has the same answer. */
  #killAll(): Promise<number> {
    const none = Promise.withResolvers<void>()
    const killing = none.promise.then(() => {
      this.#isKilling = false
      this.#killing = undefined
      return this.#orphans
    })
    this.#killing = killing
    this.#onNone = none.resolve
    this.#orphans = 0
    this.#isKilling = true
    killEveryone()
    this.#reap()
    return killing
  }

  #reap(): void {
    for (;;) {
      const pid = libc().waitpid(-1, this.#status, WNOHANG)
      if (pid === -1 && this.#starting === 0) this.#onNone?.()
      if (pid <= 0) return
      this.#ended(pid, this.#status[0] ?? 0)
    }
  }

  #ended(pid: number, status: number): void {
    if (this.#started.delete(pid)) this.#onExit(pid, status)
    else if (this.#starting > 0) this.#early.set(pid, status)
    else this.#orphans += 1
    if (this.#isKilling && process.pid !== 1) killEveryone()
  }
}

/**
 * As process 1 of a namespace, all of it. Otherwise, without namespaces, what descends from this process, which adopts what
 * its parents leave behind: once more after each end, until none is left.
 */
function killEveryone(): void {
  if (process.pid === 1) kill(-1)
  else for (const pid of descendants(process.pid)) kill(pid)
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

function descendants(pid: number): readonly number[] {
  const children = childrenOf(pid)
  return [...children, ...children.flatMap(descendants)]
}

function childrenOf(pid: number): readonly number[] {
  try {
    const lists = readdirSync(`/proc/${pid}/task`).map((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8'),
    )
    return lists.flatMap((list) => list.trim().split(' ').filter(Boolean).map(Number))
  } catch {
    return []
  }
}
