import { CmdopError, MAX_EXECUTE_BYTES } from '@cmdop/protocol'
import type { PtyExit } from '../pty/pty.ts'
import { isShellWaiting } from './foreground.ts'
import type { Integration } from './integration.ts'
import { Interruption, type InterruptedTerminal } from './interruption.ts'
import { isMark, type Mark, MarkParser } from './mark-parser.ts'
import { AlternateScreen, resetModes, shownCommand } from './shown-command.ts'
import type { ShellFiles } from './shell-files.ts'
import { ShownOutput } from './shown-output.ts'
import { type ExecuteOptions, type Execution, Turn, type TurnOptions } from './turn.ts'

/** Commands that wait for the shell at most. */
const MAX_WAITING = 100

/** Milliseconds in which the shell must take a command over. */
const TAKE_WITHIN_MS = 5000

/** Milliseconds in which a shell that was interrupted at its prompt shows a new one. */
const CLEAR_WITHIN_MS = 1000

/** Milliseconds after which a prompt is taken for complete although it does not say so. */
const PROMPT_WITHIN_MS = 100

/** Milliseconds without output after which a shell that waits, and has no marks any more, is taken to be at its prompt. */
const SETTLED_MS = 300

/**
 * Where the shell is. `prompting`: its prompt is not complete; `ready`: it reads; `clearing`: what somebody typed is thrown
 * away; `taking`: it was given a command; `running` that command; `ending`: it is over, its exit code is not known yet;
 * `busy`: with something that somebody else started.
 */
type State = 'prompting' | 'ready' | 'clearing' | 'taking' | 'running' | 'ending' | 'busy'

/** What somebody typed since the prompt began. */
type Typed = 'nothing' | 'text' | 'line'

/** What a driver works with. */
export interface ShellDriverOptions {
  readonly integration: Integration
  readonly nonce: string
  /** The session's private folder. */
  readonly files: ShellFiles
  readonly terminal: InterruptedTerminal
  /** Bytes that the session has shown, of this shell and else. What the driver returns is shown before anything else. */
  shownBytes(): number
}

/**
 * Runs commands in the shell of a terminal, one after the other, by the marks of its integration. All output of the terminal
 * goes through {@link ShellDriver.feed}, all that people type is announced by {@link ShellDriver.typed}.
 */
export class ShellDriver {
  readonly #options: ShellDriverOptions
  readonly #parser: MarkParser
  readonly #output: ShownOutput
  readonly #waiting: Turn[] = []
  #state: State = 'prompting'
  #timer: NodeJS.Timeout | undefined
  #turn: Turn | undefined
  #interruption: Interruption | undefined
  #alternate = new AlternateScreen()
  /** What somebody typed since the prompt began. */
  #typed: Typed = 'nothing'
  #lastId = 0
  /** Times that a command was handed over; of the last one, whether the shell has the keys by which it takes it. */
  #handed = 0
  #hasKeys = false
  #directory: Buffer | null = null
  #lastOutputAt = 0
  #exited = false

  constructor(options: ShellDriverOptions) {
    this.#options = options
    this.#parser = new MarkParser(options.nonce)
    this.#output = new ShownOutput(() => options.shownBytes())
  }

  /** Directory of the shell as it last said, the bytes as they are. */
  get directory(): Buffer | null {
    return this.#directory
  }

  /** Takes output of the terminal, which is lent, and returns what is to be shown of it, lent as long. */
  feed(data: Uint8Array): Uint8Array {
    this.#lastOutputAt = performance.now()
    for (const piece of this.#parser.push(data)) {
      if (isMark(piece)) this.#take(piece)
      else this.#pass(piece)
    }
    this.#next()
    return this.#output.take()
  }

  /** Somebody types this. */
  typed(data: Uint8Array): void {
    if (data.length === 0) return
    const isLine = this.#typed === 'line' || data.includes(0x0d) || data.includes(0x0a)
    this.#typed = isLine ? 'line' : 'text'
    if (this.#state === 'ready') this.#enterReady()
  }

  /** This principal types from now on: what others have waiting is not run. */
  takenOver(principalId: string): void {
    const isStale = (turn: Turn) => !turn.hidden && turn.principalId !== principalId
    const stale = this.#waiting.filter(isStale)
    this.#waiting.splice(0, Infinity, ...this.#waiting.filter((turn) => !isStale(turn)))
    for (const turn of stale) turn.fail(takenOver())
  }

  /** The shell has ended, and all its output was given. Returns what is left to be shown. */
  end(exit: PtyExit): Uint8Array {
    this.#exited = true
    this.#pass(this.#parser.flush())
    if (this.#state === 'taking') this.#failTaking(sessionEnded())
    else this.#finish(exit.exitCode, 'session-ended')
    this.#enter('busy')
    for (const turn of this.#waiting.splice(0)) turn.fail(sessionEnded())
    return this.#output.take()
  }

  /**
   * Runs a command when it is its turn. Resolves when the shell has taken it; rejects when nothing of it ran: `conflict`,
   * `timeout`, `cancelled`, `session_ended`, `validation`.
   */
  execute(command: string, options: ExecuteOptions): Promise<Execution> {
    const refused = this.#refuse(command, options)
    if (refused !== undefined) return Promise.reject(refused)
    const turn = this.#newTurn(command, { principalId: options.principalId })
    this.#waiting.push(turn)
    turn.watch(options, () => this.#interrupt(turn))
    this.#next()
    return turn.started.promise
  }

  #refuse(command: string, { whenBusy }: ExecuteOptions): CmdopError | undefined {
    if (this.#exited) return sessionEnded()
    if (command.includes('\0') || Buffer.byteLength(command) > MAX_EXECUTE_BYTES)
      return new CmdopError('validation', `Expected a command without NUL, of at most ${MAX_EXECUTE_BYTES} bytes.`)
    const busy = this.#turn !== undefined || this.#waiting.length > 0 || this.#state === 'busy'
    if (busy && whenBusy === 'conflict')
      return new CmdopError('conflict', 'Another command has the shell of this session; wait for it, or end it.')
    if (this.#waiting.length >= MAX_WAITING)
      return new CmdopError('conflict', `${MAX_WAITING} commands wait for the shell of this session already.`)
    return undefined
  }

  #newTurn(command: string, options: TurnOptions): Turn {
    this.#lastId += 1
    return new Turn(this.#lastId, command, options)
  }

  #take({ kind, value, directory }: Mark): void {
    if (directory !== null && kind !== 'C') this.#directory = directory
    if ((kind === 'A' || kind === 'D') && this.#state !== 'prompting') this.#typed = 'nothing'
    if (kind === 'C') this.#commandBegins(value)
    else if (kind === 'D') this.#commandOver(value)
    else if (kind === 'A') this.#promptBegins()
    else this.#promptComplete(value)
  }

  #pass(data: Uint8Array): void {
    if (this.#state === 'running') this.#alternate.see(data)
    this.#output.push(data)
  }

  #commandBegins(id: number | null): void {
    if (this.#state === 'ready' || this.#state === 'prompting') this.#enter('busy')
    if (this.#state !== 'taking' || id === null || id !== this.#turn?.id) return
    const turn = this.#turn
    this.#enter('running')
    this.#removeCommand()
    this.#alternate = new AlternateScreen()
    if (!turn.hidden) {
      this.#output.release('modes')
      this.#output.push(shownCommand(turn.command))
    }
    turn.begin(this.#output.offset)
    if (turn.reason !== 'exited') this.#interrupt(turn)
  }

  #commandOver(exitCode: number | null): void {
    if (this.#state === 'taking' || this.#state === 'ending') return
    this.#finish(exitCode)
    this.#enter('prompting')
  }

  /** Of a command that did not say its end, the prompt does: it was interrupted. */
  #promptBegins(): void {
    if (this.#state === 'taking') {
      // A prompt that comes late: the shell cannot have refused what it was not asked for.
      if (!this.#hasKeys) this.#takeBack()
      else if (this.#turn?.hidden === true) return
      else this.#failTaking(notTaken())
    }
    if (this.#turn !== undefined) this.#turn.endOffset ??= this.#output.offset
    this.#enter(this.#turn === undefined ? 'prompting' : 'ending')
    // Somebody may have changed the prompt so that it does not say that it is complete.
    this.#later(PROMPT_WITHIN_MS, () => this.#promptComplete(null))
  }

  /** The line editor also draws it again while it takes a command. */
  #promptComplete(exitCode: number | null): void {
    if (this.#state === 'taking') return
    this.#finish(exitCode)
    this.#output.release('modes')
    this.#enterReady()
  }

  /** A shell without hooks does not say that a line which somebody typed begins. */
  #enterReady(): void {
    this.#enter(this.#typed === 'line' && !this.#options.integration.editsLines ? 'busy' : 'ready')
  }

  /** Whatever the shell does next: what can be done now. */
  #next(): void {
    const [turn] = this.#waiting
    if (turn === undefined || this.#turn !== undefined) return
    const { integration, terminal } = this.#options
    if (this.#state === 'ready' && this.#typed === 'line') {
      // The shell says that it begins, or it is not complete.
      this.#typed = 'text'
      this.#enter('prompting')
      this.#later(SETTLED_MS, () => this.#enter('ready'))
    } else if (this.#state === 'ready' && this.#typed === 'text' && integration.clearsByInterrupt) {
      this.#enter('clearing')
      this.#typed = 'nothing'
      terminal.write(Buffer.from('\x03'))
      this.#later(CLEAR_WITHIN_MS, () => this.#promptComplete(null))
    } else if (this.#state === 'ready') this.#handOver(turn)
    else if (this.#state === 'busy' && !integration.editsLines) this.#settle()
  }

  #handOver(turn: Turn): void {
    const { integration, files } = this.#options
    this.#waiting.shift()
    this.#turn = turn
    this.#enter('taking')
    this.#output.hold()
    this.#hasKeys = false
    this.#handed += 1
    const [typed, handed] = [this.#typed, this.#handed]
    files.write(integration.commandFile, integration.commandText(turn)).then(
      () => {
        if (this.#handed === handed) this.#typeKeys(turn, typed)
      },
      (cause: unknown) => {
        if (this.#turn !== turn || this.#handed !== handed) return
        this.#failTaking(new CmdopError('server', 'The machine could not hand the command to the shell.', { cause }))
        this.#enterReady()
        this.#next()
      },
    )
  }

  /** Unless the shell ended meanwhile, or somebody typed something else than `typed`: that is not to be mixed with our keys. */
  #typeKeys(turn: Turn, typed: Typed): void {
    if (this.#turn !== turn || this.#state !== 'taking') return
    if (this.#typed !== typed) {
      this.#takeBack()
      this.#enterReady()
      return this.#next()
    }
    const { integration, terminal } = this.#options
    // A program that was killed may have left keys unread. A line editor knows what they are, others take them for a command.
    const isAfterKeys = turn.hidden && !integration.editsLines
    this.#hasKeys = true
    terminal.write(Buffer.from(isAfterKeys ? `\n${integration.keys}` : integration.keys))
    this.#later(TAKE_WITHIN_MS, () => {
      this.#failTaking(notTaken())
      this.#enter('busy')
    })
  }

  /** A shell without hooks whose prompt was changed says nothing any more: it is at its prompt when it waits, and is quiet. */
  #settle(): void {
    this.#later(SETTLED_MS, () => {
      const quiet = performance.now() - this.#lastOutputAt >= SETTLED_MS
      if (quiet && isShellWaiting(this.#options.terminal.pid)) this.#enter('ready')
    })
  }

  #interrupt(turn: Turn): void {
    const waiting = this.#waiting.indexOf(turn)
    if (waiting !== -1) {
      this.#waiting.splice(waiting, 1)
      turn.giveUp()
    } else if (this.#turn === turn && this.#state === 'running') {
      this.#interruption ??= new Interruption(this.#options.terminal, () => {
        this.#finish(null)
        this.#enter('busy')
      })
    }
  }

  /** The command that runs is over, if one does. */
  #finish(exitCode: number | null, ended?: 'session-ended'): void {
    const turn = this.#turn
    if (turn === undefined) return
    this.#turn = undefined
    const forced = this.#interruption?.forced === true
    this.#interruption?.stop()
    this.#interruption = undefined
    const reason = ended ?? turn.reason
    const endOffset = turn.endOffset ?? this.#output.offset
    turn.end({ reason, exitCode, directory: this.#directory, endOffset })
    if (!forced || turn.hidden || ended !== undefined) return
    this.#output.push(resetModes(this.#alternate.active))
    this.#waiting.unshift(this.#newTurn('stty sane iutf8', { hidden: true }))
  }

  /** The command that was handed over is the next one again. */
  #takeBack(): void {
    if (this.#turn !== undefined) this.#waiting.unshift(this.#turn)
    this.#turn = undefined
    this.#output.release('all')
  }

  #failTaking(error: CmdopError): void {
    this.#turn?.fail(error)
    this.#turn = undefined
    this.#removeCommand()
    this.#output.release('all')
  }

  /** The shell has read it, or must not any more. */
  #removeCommand(): void {
    void this.#options.files.remove(this.#options.integration.commandFile)
  }

  #enter(state: State): void {
    clearTimeout(this.#timer)
    this.#state = state
  }

  #later(milliseconds: number, act: () => void): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      act()
      this.#next()
    }, milliseconds)
  }
}

function sessionEnded(): CmdopError {
  return new CmdopError('session_ended', 'The session is over: its shell has ended.')
}

function takenOver(): CmdopError {
  return new CmdopError('conflict', 'Somebody else types in the session now; nothing of the command ran.')
}

function notTaken(): CmdopError {
  return new CmdopError('conflict', 'The shell did not take the command; look at what it shows. Nothing of it ran.')
}
