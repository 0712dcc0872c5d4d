import { randomBytes } from 'node:crypto'
import type { ExecResult } from '@cmdop/core'

/** Name of the variable with what a shell string of a run begins with. */
const PRELUDE = 'CMDOP_CARRY'

/** Most bytes of the mark at the end of standard error: a directory, and what is around it. */
const MARK_BYTES = 4096 + 128

/**
 * What carries over from one shell string of a run to the next, although each is a process of its own: the directory, and
 * exported variables. Where a string changed either, a trap at the shell's exit says so in a mark on standard error, which a
 * terminal does not show and which is taken out before anybody reads it; a nonce keeps output from forging one. Variables do not
 * leave the machine: if a command exported any, they are kept in a file with mode 0600, which the next one loads.
 */
export class CarriedState {
  readonly #nonce = randomBytes(12).toString('hex')
  readonly #file = `/tmp/cmdop-run-${this.#nonce}`
  #directory: string | undefined
  #hasFile = false

  /** Where the last shell string ended; undefined: where commands begin by themselves. */
  get directory(): string | undefined {
    return this.#directory
  }

  /** The file that is to be removed at the end; undefined when there is none. */
  get file(): string | undefined {
    return this.#hasFile ? this.#file : undefined
  }

  /** Bytes of standard error that are to be kept beyond what is asked for. */
  readonly extraBytes = 2 * MARK_BYTES

  /** A shell string as it is run, with its variables. What it does, prints and exits with stays the same. */
  wrap(command: string): { readonly command: string; readonly env: Record<string, string> } {
    return { command: `eval "$${PRELUDE}"; ${command}`, env: { [PRELUDE]: prelude(this.#file, this.#nonce) } }
  }

  /** Forgets the directory, which is gone. */
  forgetDirectory(): void {
    this.#directory = undefined
  }

  /** Takes the mark out of a result. `keepsDirectory`: whether the next command begins where this one ended. */
  take(result: ExecResult, keepsDirectory: boolean): ExecResult {
    const data = Buffer.from(result.stderrData)
    const begin = data.lastIndexOf(`\x1b]5379;${this.#nonce};`)
    const end = begin === -1 ? -1 : data.indexOf('\x07', begin)
    if (end === -1) return result
    const mark = data.subarray(begin, end + 1)
    const [, , wrote, ...directory] = mark.subarray(0, -1).toString().split(';')
    if (wrote === '1') this.#hasFile = true
    const path = directory.join(';')
    if (keepsDirectory && path.startsWith('/') && !path.includes('\u{fffd}')) this.#directory = path
    return {
      ...result,
      stderr: result.stderr.replace(mark.toString(), ''),
      stderrData: Buffer.concat([data.subarray(0, begin), data.subarray(end + 1)]),
      stderrBytes: result.stderrBytes - mark.length,
    }
  }
}

/** The call's own marker and the directories are each command's own. */
const EXPORTED = '$(unset PWD OLDPWD CMDOP_CALL; export -p)'

function prelude(file: string, nonce: string): string {
  const atExit = [
    '{ set +x; } 2>/dev/null',
    `__cmdop_now=${EXPORTED}`,
    '__cmdop_wrote=0',
    `if [ "$__cmdop_now" != "$__cmdop_env" ]; then (umask 077; printf "%s\\n" "$__cmdop_now" >${file}) 2>/dev/null && __cmdop_wrote=1; fi`,
    `if [ "$PWD$__cmdop_wrote" != "$__cmdop_start"0 ]; then printf "\\033]5379;${nonce};%s;%s\\007" "$__cmdop_wrote" "$PWD" >&2; fi`,
  ]
  return [
    `unset ${PRELUDE}`,
    `[ -f ${file} ] && . ${file}`,
    `__cmdop_env=${EXPORTED}`,
    '__cmdop_start=$PWD',
    `trap '${atExit.join('; ')}' EXIT`,
  ].join('; ')
}
