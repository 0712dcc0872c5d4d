import { readlinkSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { receiveDescriptors, sendDescriptors } from './descriptor-socket.ts'
import { libc } from './libc.ts'
import { bringUpLoopback } from './loopback.ts'
import { networkAttempts } from './network-attempts.ts'
import { FROZEN, type Frozen, type HostCommand, type HostEvent, type ProgramRequest } from './plan.ts'
import { Reaper } from './reaper.ts'
import type { FromThread, ToThread } from './view-thread.ts'

/** Where the starter puts its end of the socket for descriptors. */
const DESCRIPTORS = 4

/** Of the thread that starts programs; it keeps next to nothing. */
const THREAD_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32, stackSizeMb: 1 }

/**
 * The host of a sandbox: process 1 of the view's process namespace. It holds the view together: starts its thread, waits for
 * every process in it, tells the starter, and takes everything down with itself when the starter is gone.
 */
class Host {
  readonly #thread: Worker
  readonly #reaper: Reaper
  /** Requests of programs with whose end everything ends, and then the programs. */
  readonly #lastRequests = new Set<number>()
  readonly #lastPrograms = new Set<number>()
  #threadId = 0
  #hasOwnNetwork = false
  /** From when everything was ended on, nothing is started until the starter says so: the changes are being looked at. */
  #isFrozen = false

  /** One for the whole process. */
  static start(): Host {
    return new Host()
  }

  private constructor() {
    const isSource = import.meta.url.endsWith('.ts')
    this.#thread = new Worker(new URL(isSource ? './view-thread.ts' : './view-thread.js', import.meta.url), {
      resourceLimits: THREAD_LIMITS,
      // It closes descriptors that came over the socket; Node would warn of each.
      trackUnmanagedFds: false,
    })
    this.#reaper = new Reaper((pid, status) => void this.#exited(pid, status))
    // The one that the thread rehearses with; the starter does not know it, and does not miss its end.
    this.#reaper.starting()
    this.#thread.on('message', (event: FromThread) => this.#heard(event))
    this.#thread.on('error', (error) => {
      process.stderr.write(String(error))
      process.exit(1)
    })
    process.on('message', (command: HostCommand) => this.#do(command))
    process.on('disconnect', () => process.exit(0))
    // Node opens its debugger for whoever sends this signal, and commands may: they have the same user, and its network.
    process.on('SIGUSR1', () => {})
  }

  #do(command: HostCommand): void {
    if (command.type === 'view') {
      this.#hasOwnNetwork = command.plan.network === 'none' && command.plan.privilege !== 'none'
      if (this.#hasOwnNetwork) bringUpLoopback()
      this.#post(command)
    } else if (command.type === 'start') this.#start(command.request)
    else if (command.type === 'kill') signal(command.pid, command.signal)
    else if (command.type === 'thaw') this.#isFrozen = false
    else void this.#freeze().then((frozen) => this.#tell({ type: 'frozen', frozen }))
  }

  #start(request: ProgramRequest): void {
    const received =
      request.terminal === undefined ? receiveDescriptors(DESCRIPTORS) : { id: request.id, descriptors: [] }
    const errno = this.#isFrozen ? FROZEN : received?.id === request.id ? undefined : 'EBADF'
    if (received === undefined || errno !== undefined) {
      for (const end of received?.descriptors ?? []) libc().close(end)
      return this.#tell({ type: 'not-started', id: request.id, errno: errno ?? 'EBADF' })
    }
    this.#reaper.starting()
    if (request.freezeAtEnd === true) this.#lastRequests.add(request.id)
    this.#post({ type: 'start', request, ends: received.descriptors })
  }

  #heard(event: FromThread): void {
    if (event.type === 'up') {
      this.#threadId = event.thread
      this.#reaper.started(event.rehearsed)
      this.#tell({ type: 'up', pid: Number(readlinkSync('/proc/self')) })
    } else if (event.type === 'ready')
      this.#tell({ type: 'ready', report: { ...event.report, thread: this.#threadId } })
    else if (event.type === 'started') this.#started(event)
    else {
      if (event.type === 'not-started') {
        this.#lastRequests.delete(event.id)
        this.#reaper.started(undefined)
      }
      this.#tell(event)
    }
  }

  #started({ id, pid, terminal }: Extract<FromThread, { type: 'started' }>): void {
    if (terminal !== undefined) {
      const isSent = sendDescriptors(DESCRIPTORS, id, [terminal.master, terminal.slave])
      // The starter says that the terminal did not arrive.
      if (!isSent) signal(pid, 'SIGKILL')
      for (const end of [terminal.master, terminal.slave]) libc().close(end)
    }
    this.#tell({ type: 'started', id, pid })
    if (this.#lastRequests.delete(id)) this.#lastPrograms.add(pid)
    this.#reaper.started(pid)
  }

  async #exited(pid: number, status: number): Promise<void> {
    const frozen = this.#lastPrograms.delete(pid) ? await this.#freeze() : undefined
    this.#tell({ type: 'exit', pid, status, ...(frozen && { frozen }) })
  }

  async #freeze(): Promise<Frozen> {
    this.#isFrozen = true
    const killed = await this.#reaper.killAll()
    return { killed, networkAttempts: this.#hasOwnNetwork ? networkAttempts() : 0 }
  }

  #post(message: ToThread): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#thread.postMessage(message)
  }

  #tell(event: HostEvent): void {
    // A starter that is gone is told by `disconnect`.
    process.send?.(event, undefined, undefined, () => {})
  }
}

/** To the whole group of a program. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name)
  } catch {
    // It has ended.
  }
}

const PR_SET_CHILD_SUBREAPER = 36

// Without a process namespace of its own it adopts what its programs leave behind, to end that too.
libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
Host.start()
