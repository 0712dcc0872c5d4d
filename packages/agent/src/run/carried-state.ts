import { randomBytes } from 'node:crypto'
import { CARRY_FILE, CARRY_PREFIX } from '@cmdop/protocol'
import { MarkFilter } from './mark-filter.ts'

/** Name of the variable in {@link CARRY_PREFIX}. */
const PRELUDE = 'CMDOP_CARRY'

/**
 * What carries over from one shell string of a run to the next, although each is a process of its own: the directory, and
 * exported variables. Where a string changed either, a trap at the shell's exit says so in a mark on standard error, which a
 * terminal does not show and which is taken out before anybody reads it; a nonce keeps output from forging one. Variables do not
 * leave the machine: if a command exported any, they are kept in a file with mode 0600, which the next one loads.
 */
export class CarriedState {
  readonly #nonce: string
  #file: string
  #directory: string | undefined
  #hasFile = false

  /** `nonce`: 24 hexadecimal digits that a command cannot know. */
  constructor(nonce: string = randomBytes(12).toString('hex')) {
    this.#nonce = nonce
    this.#file = `/tmp/cmdop-run-${nonce}`
  }

  /** Whether there are variables for the next command. */
  get hasVariables(): boolean {
    return this.#hasFile
  }

  /** Goes on where another process has left it. */
  restore({ directory, hasVariables }: Pick<Carried, 'directory' | 'hasVariables'>): void {
    this.#directory = directory ?? undefined
    this.#hasFile = hasVariables
  }

  /** The variables are gone. */
  forgetVariables(): void {
    this.#hasFile = false
  }

  /** Keeps variables in this folder from now on, which somebody else removes should the run be killed. */
  keepIn(folder: string): void {
    this.#file = `${folder}/cmdop-run-${this.#nonce}`
  }

  /** Where the last shell string ended; undefined: where commands begin by themselves. */
  get directory(): string | undefined {
    return this.#directory
  }

  /** The file that is to be removed at the end; undefined when there is none. */
  get file(): string | undefined {
    return this.#hasFile ? this.#file : undefined
  }

  /**
   * A shell string as it is run, with its variables. What it does, prints and exits with stays the same. `own`: variables that
   * each command is given, and that are in no file; `readOnly`: it leaves nothing to the next one.
   */
  wrap(command: string, { own = {}, readOnly = false }: WrapOptions = {}): Wrapped {
    const carry = prelude({ nonce: this.#nonce, own: Object.keys(own), readOnly })
    return { command: `${CARRY_PREFIX}${command}`, env: { ...own, [PRELUDE]: carry, [CARRY_FILE]: this.#file } }
  }

  /** Forgets the directory, which is gone. */
  forgetDirectory(): void {
    this.#directory = undefined
  }

  /** Takes the mark out of standard error. `keepsDirectory`: whether the next command begins where this one ends. */
  filter(keepsDirectory: boolean): MarkFilter {
    return new MarkFilter(markOf(this.#nonce), (text) => {
      const [wrote, ...directory] = text.split(';')
      if (wrote === '1') this.#hasFile = true
      const path = directory.join(';')
      if (keepsDirectory && path.startsWith('/') && !path.includes('\u{fffd}')) this.#directory = path
    })
  }
}

/** What carries over, as a journal has it. */
export interface Carried {
  /** Where the last shell string ended; null: nowhere in particular. */
  readonly directory: string | null
  /** Whether there are variables, which are kept on the machine and nowhere else. */
  readonly hasVariables: boolean
  /** With whose end the variables are gone; null: there is none. */
  readonly sessionId: string | null
}

interface WrapOptions {
  readonly own?: Readonly<Record<string, string | null>> | undefined
  readonly readOnly?: boolean | undefined
}

interface Wrapped {
  readonly command: string
  readonly env: Record<string, string | null>
}

/** With what a mark begins that a command run with these variables makes; undefined: it makes none. */
export function markIn(env: Readonly<Record<string, string | null>> | undefined): string | undefined {
  const nonce = /\\033\]5379;([0-9a-f]{24});/.exec(env?.[PRELUDE] ?? '')?.[1]
  return nonce === undefined ? undefined : markOf(nonce)
}

function markOf(nonce: string): string {
  return `\x1b]5379;${nonce};`
}

interface Prelude {
  readonly nonce: string
  readonly own: readonly string[]
  readonly readOnly: boolean
}

function prelude({ nonce, own, readOnly }: Prelude): string {
  const load = [
    `__cmdop_file=$${CARRY_FILE}`,
    `unset ${PRELUDE} ${CARRY_FILE}`,
    '[ -f "$__cmdop_file" ] && . "$__cmdop_file"',
  ]
  if (readOnly) return `${load.join('; ')}; :`
  // The call's own marker, its trace and the directories are each command's own.
  const names = ['PWD', 'OLDPWD', 'CMDOP_CALL', 'TRACEPARENT', ...own.filter((name) => /^[A-Za-z_]\w*$/.test(name))]
  const exported = `$(unset ${names.join(' ')}; export -p)`
  const atExit = [
    '{ set +x; } 2>/dev/null',
    `__cmdop_now=${exported}`,
    '__cmdop_wrote=0',
    'if [ "$__cmdop_now" != "$__cmdop_env" ]; then (umask 077; printf "%s\\n" "$__cmdop_now" >"$__cmdop_file") 2>/dev/null && __cmdop_wrote=1; fi',
    `if [ "$PWD$__cmdop_wrote" != "$__cmdop_start"0 ]; then printf "\\033]5379;${nonce};%s;%s\\007" "$__cmdop_wrote" "$PWD" >&2; fi`,
  ]
  return [...load, `__cmdop_env=${exported}`, '__cmdop_start=$PWD', `trap '${atExit.join('; ')}' EXIT`].join('; ')
}
