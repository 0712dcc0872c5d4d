import { signalForeground } from './foreground.ts'

/** What is done to end a command, and how long after the one before it, in milliseconds. */
const STEPS: readonly { readonly afterMs: number; readonly act: (terminal: InterruptedTerminal) => void }[] = [
  { afterMs: 0, act: typeInterrupt },
  { afterMs: 500, act: (terminal) => signalForeground(terminal.pid, 'SIGINT') },
  { afterMs: 500, act: terminate },
  // More than once: a loop starts the next program.
  ...Array.from({ length: 8 }, (_, index) => ({
    afterMs: index === 0 ? 1000 : 250,
    act: (terminal: InterruptedTerminal) => signalForeground(terminal.pid, 'SIGKILL'),
  })),
]

/** The first step that may leave the terminal as no program should. */
const FORCED_STEP = 1

/** Milliseconds after the last step in which the shell must be at its prompt. */
const GIVE_UP_MS = 500

/** What an interruption needs of a terminal, and of the shell in it. */
export interface InterruptedTerminal {
  readonly pid: number
  write(data: Uint8Array): unknown
  interrupt(data: Uint8Array): boolean
}

/**
 * Ends what runs in the foreground of a shell, but never the shell: first as the key `^C` does, then with stronger and
 * stronger signals. {@link Interruption.stop} when the shell is at its prompt; what never gives way is given up.
 */
export class Interruption {
  readonly #terminal: InterruptedTerminal
  readonly #giveUp: () => void
  #timer: NodeJS.Timeout | undefined
  #step = 0

  constructor(terminal: InterruptedTerminal, giveUp: () => void) {
    this.#terminal = terminal
    this.#giveUp = giveUp
    this.#next()
  }

  /** Whether a signal was sent that a program in full screen may not have survived to clean up. */
  get forced(): boolean {
    return this.#step > FORCED_STEP
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #next(): void {
    const step = STEPS[this.#step]
    this.#timer = setTimeout(() => {
      if (step === undefined) return this.#giveUp()
      this.#step += 1
      step.act(this.#terminal)
      this.#next()
    }, step?.afterMs ?? GIVE_UP_MS)
  }
}

function typeInterrupt(terminal: InterruptedTerminal): void {
  const key = Buffer.from('\x03')
  terminal.interrupt(key)
  terminal.write(key)
}

function terminate(terminal: InterruptedTerminal): void {
  signalForeground(terminal.pid, 'SIGTERM')
  // A stopped process takes its SIGTERM only once it goes on.
  signalForeground(terminal.pid, 'SIGCONT')
}
