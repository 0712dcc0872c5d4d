import { constants } from 'node:os'
import type { Attachment, SessionEvent, TerminalSize } from '@cmdop/core'
import { CmdopError, isCmdopError } from '@cmdop/protocol'
import { execExitCodes } from '../exit-codes.ts'
import { writeStderr } from '../terminal.ts'
import { type EscapeCommand, EscapeReader } from './escapes.ts'
import { type LocalTerminal, localSize, openLocalTerminal } from './local-terminal.ts'

/** Milliseconds between the ^D that are typed when piped input has ended: one that comes during a command is lost. */
const END_OF_INPUT_EVERY_MS = 500

const HELP = [
  '~.  leave; the session goes on',
  '~t  take the keyboard, from an AI at once',
  '~r  ask who has the keyboard for it',
  '~g  give the keyboard to who asked for it',
  '~~  type a tilde',
]

type End = Extract<SessionEvent, { type: 'end' }>
type LeaseEvent = Extract<SessionEvent, { type: 'lease' }>

/** How it ended: the exit code, and what is said of it once the terminal is as it was. */
interface Outcome {
  readonly exitCode: number
  readonly line?: string
}

/** Connects this terminal with a session until either is over. Resolves to the exit code: the shell's, 0 for who left. */
export async function interact(attachment: Attachment, signal: AbortSignal): Promise<number> {
  const { exitCode, line } = await runInTerminal(attachment, signal)
  // The cursor may be behind a prompt of the session.
  if (line !== undefined) await writeStderr(`${process.stdin.isTTY ? '\n' : ''}cmdop: ${line}\n`)
  return exitCode
}

async function runInTerminal(attachment: Attachment, signal: AbortSignal): Promise<Outcome> {
  await using terminal = openLocalTerminal()
  return await new Interaction(attachment, terminal).run(signal)
}

class Interaction {
  readonly #attachment: Attachment
  readonly #terminal: LocalTerminal
  #hadLease: boolean
  /** Who asked for the keyboard first. */
  #asking: LeaseEvent['waiting'][number] | undefined
  /** Refused input is told once, until somebody else has the keyboard. */
  #isRefusalTold = false

  constructor(attachment: Attachment, terminal: LocalTerminal) {
    this.#attachment = attachment
    this.#terminal = terminal
    this.#hadLease = attachment.holdsLease
  }

  async run(signal: AbortSignal): Promise<Outcome> {
    const leave = () => void this.#attachment.detach()
    signal.addEventListener('abort', leave, { once: true })
    if (signal.aborted) leave()
    this.#terminal.onResize((size) => this.#attachment.resize(size))
    const typing = new AbortController()
    const typed = this.#type(typing.signal)
    let isGreeted = false
    try {
      for await (const event of this.#attachment) {
        if (event.type === 'end') return this.#finish(event)
        await this.#show(event)
        // After the screen was painted, which would have covered it.
        if (!isGreeted) await this.#greet()
        isGreeted = true
      }
      return { exitCode: execExitCodes.failed }
    } finally {
      typing.abort()
      signal.removeEventListener('abort', leave)
      // It waits for a key that may never come; it is only looked at so that no failure is lost.
      typed.catch(() => {})
    }
  }

  async #greet(): Promise<void> {
    const { mode, lease, holdsLease, size } = this.#attachment
    if (mode === 'observer') await this.#terminal.tell('you observe this session; ~. leaves')
    else if (!holdsLease && lease !== null)
      await this.#terminal.tell(`${lease.name} has the keyboard; ~t takes it, ~r asks for it, ~. leaves`)
    await this.#compareSize(size)
  }

  async #show(event: Exclude<SessionEvent, End>): Promise<void> {
    if (event.type === 'output') return this.#terminal.show(event.data)
    if (event.type === 'snapshot') return this.#terminal.paint(event.data)
    if (event.type === 'resized') return this.#compareSize(event.size)
    if (event.type === 'lease') return this.#showLease(event)
    if (event.type === 'input-refused') return this.#showRefusal(event)
    return this.#terminal.tell(connectionTexts[event.state])
  }

  /** Programs draw for the session's size, so what does not fit looks broken. */
  async #compareSize(size: TerminalSize): Promise<void> {
    const own = localSize()
    if (own === undefined || this.#attachment.holdsLease) return
    if (own.columns === size.columns && own.rows === size.rows) return
    await this.#terminal.tell(
      `the session is ${size.columns} x ${size.rows}, your terminal ${own.columns} x ${own.rows}`,
    )
  }

  async #showLease({ lease, waiting }: LeaseEvent): Promise<void> {
    const { holdsLease } = this.#attachment
    this.#isRefusalTold = false
    if (holdsLease && !this.#hadLease) await this.#terminal.tell('you have the keyboard')
    if (!holdsLease && this.#hadLease) {
      const text =
        lease === null
          ? 'nobody has the keyboard now; ~t takes it'
          : `${lease.name} has the keyboard now; ~t takes it back`
      await this.#terminal.tell(text)
    }
    this.#hadLease = holdsLease
    const [asking] = holdsLease ? waiting : []
    if (asking !== undefined && asking.participantId !== this.#asking?.participantId)
      await this.#terminal.tell(`${asking.name} asks for the keyboard; ~g gives it`)
    this.#asking = asking
  }

  async #showRefusal({ message }: { message: string }): Promise<void> {
    if (this.#isRefusalTold) return
    this.#isRefusalTold = true
    await this.#terminal.tell(message)
  }

  #finish(end: End): Outcome {
    const { sessionId } = this.#attachment
    if (end.state === 'running')
      return { exitCode: 0, line: `you left; the session goes on, come back with: cmdop attach ${sessionId}` }
    if (end.state === 'lost')
      throw new CmdopError('session_lost', 'The daemon of the machine ended under the session; its recording is kept.')
    const numbers: Record<string, number> = constants.signals
    const exitCode = end.exitCode ?? execExitCodes.signalBase + (numbers[end.signal ?? ''] ?? 0)
    return end.endReason === 'exited' ? { exitCode } : { exitCode, line: `the session is over: ${end.endReason}` }
  }

  async #type(signal: AbortSignal): Promise<void> {
    const escapes = this.#terminal.isInteractive ? new EscapeReader() : undefined
    let last: number | undefined
    for await (const data of this.#terminal.input) {
      last = data.at(-1) ?? last
      for (const typed of escapes?.read(data) ?? [{ input: data }]) {
        if ('command' in typed) await this.#command(typed.command)
        else await this.#send(typed.input)
      }
    }
    if (!this.#terminal.isInteractive) await this.#endInput(last, signal)
  }

  /** A pipe that has ended: the shell is told so as a person would. */
  async #endInput(last: number | undefined, signal: AbortSignal): Promise<void> {
    if (this.#attachment.mode === 'observer') return
    if (last !== undefined && last !== 0x0a) await this.#send(Buffer.from('\n'))
    while (!signal.aborted) {
      await this.#send(Buffer.from('\x04'))
      await new Promise((resolve) => setTimeout(resolve, END_OF_INPUT_EVERY_MS))
    }
  }

  async #send(input: Uint8Array): Promise<void> {
    if (this.#attachment.mode === 'observer') {
      if (this.#terminal.isInteractive) await this.#showRefusal({ message: 'an observer does not type; ~. leaves' })
      return
    }
    // A session that is over says so itself.
    await this.#attachment.write(input).catch((error: unknown) => this.#tellProblem(error))
  }

  async #command(command: EscapeCommand): Promise<void> {
    if (command === 'leave') return this.#attachment.detach()
    if (command === 'help') return this.#terminal.tell(HELP.join('; '))
    const asking = this.#asking
    if (command === 'grant' && asking === undefined) return this.#terminal.tell('nobody asks for the keyboard')
    this.#isRefusalTold = false
    const done =
      command === 'take'
        ? this.#attachment.takeLease()
        : command === 'request'
          ? this.#attachment.requestLease()
          : this.#attachment.grantLease(asking?.participantId ?? '')
    await done.catch((error: unknown) => this.#tellProblem(error))
  }

  async #tellProblem(error: unknown): Promise<void> {
    if (!isCmdopError(error)) throw error
    if (error.code !== 'session_ended' && error.code !== 'conflict') await this.#terminal.tell(error.message)
  }
}

const connectionTexts = {
  lost: 'the connection was lost; it comes back by itself, ~. leaves',
  resumed: 'the connection is back',
  rejoined: 'the connection is back; what you typed last may not have arrived',
}
