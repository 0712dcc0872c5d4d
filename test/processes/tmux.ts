import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import { waitFor } from '../wait-for.ts'

const run = promisify(execFile)

/** Milliseconds a program may take to draw, on a busy machine. */
const DRAW_WITHIN_MS = 20_000

/** A terminal of tmux, with a program in it that is driven by keys and seen as text. */
export interface TmuxTerminal {
  /** Types text as it is. */
  type(text: string): Promise<void>
  /** Presses keys by name: `Enter`, `Up`, `C-c`. */
  press(...keys: string[]): Promise<void>
  /** Pastes as a terminal does, in brackets where the program asked for that. */
  paste(text: string): Promise<void>
  resize(columns: number, rows: number): Promise<void>
  /** The screen, with colours if asked for. */
  screen(options?: { colours?: boolean }): Promise<string>
  /** A format of tmux: `#{alternate_on}`. */
  ask(format: string): Promise<string>
  until(text: string): Promise<void>
}

export interface Tmux extends AsyncDisposable {
  open(argv: readonly string[], env: Record<string, string>): Promise<TmuxTerminal>
}

/** A tmux server of its own, gone with its scope. */
export function startTmux(size: { columns: number; rows: number }): Tmux {
  const socket = `cmdop-${randomUUID()}`
  const tmux = async (...args: string[]) => {
    const { stdout } = await run('tmux', ['-L', socket, '-f', '/dev/null', ...args], {
      env: { PATH: process.env['PATH'], LANG: 'C.UTF-8' },
    })
    return stdout
  }
  return {
    open: async (argv, env) => {
      const name = randomUUID()
      const variables = Object.entries(env).flatMap(([key, value]) => ['-e', `${key}=${value}`])
      const [columns, rows] = [String(size.columns), String(size.rows)]
      await tmux('new-session', '-d', '-s', name, '-x', columns, '-y', rows, ...variables, '--', ...argv)
      return terminalOf(tmux, name)
    },
    [Symbol.asyncDispose]: async () => void (await tmux('kill-server').catch(() => {})),
  }
}

function terminalOf(tmux: (...args: string[]) => Promise<string>, name: string): TmuxTerminal {
  const screen = ({ colours = false } = {}) => tmux('capture-pane', '-p', '-t', name, ...(colours ? ['-e'] : []))
  return {
    type: async (text) => void (await tmux('send-keys', '-t', name, '-l', '--', text)),
    press: async (...keys) => void (await tmux('send-keys', '-t', name, ...keys)),
    paste: async (text) => {
      await tmux('set-buffer', '-b', name, '--', text)
      await tmux('paste-buffer', '-p', '-b', name, '-t', name)
    },
    resize: async (columns, rows) =>
      void (await tmux('resize-window', '-t', name, '-x', String(columns), '-y', String(rows))),
    screen,
    ask: async (format) => (await tmux('display-message', '-p', '-t', name, format)).trim(),
    until: async (text) => {
      let last = ''
      const isThere = async () => {
        last = await screen()
        return last.includes(text)
      }
      await waitFor(`the screen shows ${text}`, isThere, DRAW_WITHIN_MS).catch((cause: unknown) => {
        throw new Error(`The screen never showed ${text} but:\n${last}`, { cause })
      })
    },
  }
}
