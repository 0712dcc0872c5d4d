import { constants } from 'node:os'
import type { Libc } from './libc.ts'
import type { ProcessExit } from './spawned-process.ts'

const WNOHANG = 1

/** Processes that Node did not start itself, and so does not wait for. */
export class ChildExits {
  readonly #libc: Libc
  readonly #waiting = new Map<number, (exit: ProcessExit) => void>()
  readonly #status = new Int32Array(1)
  readonly #reap = () => this.#reapAll()
  #isListening = false

  constructor(libc: Libc) {
    this.#libc = libc
  }

  /** Begins to listen; called before a process is started, so that its end is not missed. */
  listen(): void {
    if (this.#isListening) return
    this.#isListening = true
    process.on('SIGCHLD', this.#reap)
  }

  /** The end of a process that was just started. */
  of(pid: number): Promise<ProcessExit> {
    return new Promise((resolve) => this.#waiting.set(pid, resolve))
  }

  /** One signal may stand for several ends; each is asked for by its own id, so that Node's own children are left to Node. */
  #reapAll(): void {
    for (const [pid, resolve] of this.#waiting) {
      if (this.#libc.waitpid(pid, this.#status, WNOHANG) === 0) continue
      this.#waiting.delete(pid)
      resolve(decode(this.#status[0] ?? 0))
    }
  }
}

/** The status of wait(2): the signal in the low seven bits, or the exit code in the next eight. */
function decode(status: number): ProcessExit {
  const number = status & 0x7f
  if (number === 0) return { exitCode: (status >> 8) & 0xff, signal: null }
  const entry = Object.entries(constants.signals).find(([, value]) => value === number)
  return { exitCode: null, signal: (entry?.[0] as NodeJS.Signals | undefined) ?? 'SIGKILL' }
}
