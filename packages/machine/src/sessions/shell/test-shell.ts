import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodePtyHost } from '../pty/node-pty.ts'
import type { Pty } from '../pty/pty.ts'
import { prepareShell } from './prepare-shell.ts'
import { ShellDriver } from './shell-driver.ts'
import { createShellFiles } from './shell-files.ts'
import type { ExecuteOptions, ExecutionEnd } from './turn.ts'

/** How a command ended in a {@link TestShell}, with the bytes of its output. */
export interface ExecutedCommand extends ExecutionEnd {
  readonly output: Buffer
}

/** A real shell in a real terminal, driven as a session drives it. */
export interface TestShell extends AsyncDisposable {
  readonly driver: ShellDriver
  readonly pty: Pty
  /** The directory it began in, empty. */
  readonly cwd: string
  readonly nonce: string
  /** Everything that was shown so far, without returns and the mode of pasting, which shells set at every prompt. */
  readonly plain: string
  /** Everything that was shown so far. */
  readonly shown: Buffer
  /** Resolves when what was shown, made plain, satisfies this. */
  shows(satisfies: (shown: string) => boolean): Promise<void>
  /** Somebody types this. */
  type(text: string): void
  execute(command: string, options?: Partial<ExecuteOptions>): Promise<ExecutedCommand>
}

export interface TestShellOptions {
  readonly shell: string
  /** Files of its home, by name. */
  readonly home?: (folder: string) => void
  readonly env?: Readonly<Record<string, string>>
  /** Comes before each command is written to the shell's folder, which takes its time where that is in another view. */
  readonly beforeCommand?: () => Promise<void>
}

export async function startTestShell(options: TestShellOptions): Promise<TestShell> {
  const root = mkdtempSync(join(tmpdir(), 'cmdop-shell-'))
  const folders = ['home', 'cwd', "private 'folder'"].map((name) => join(root, name))
  for (const folder of folders) mkdirSync(folder, { mode: 0o700 })
  const [home = '', cwd = '', folder = ''] = folders
  options.home?.(home)
  const nonce = randomBytes(16).toString('hex')
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, TERM: 'xterm-256color', LANG: 'C.UTF-8', ...options.env }
  const prepared = prepareShell({ shell: options.shell, nonce, folder, env })
  if (prepared.integration === undefined) throw new Error(`Expected a shell that is known, got ${options.shell}.`)
  const ownFiles = createShellFiles(folder)
  for (const { name, text } of prepared.integration.files) await ownFiles.write(name, text)
  const files = {
    ...ownFiles,
    write: async (name: string, text: string) => {
      await options.beforeCommand?.()
      await ownFiles.write(name, text)
    },
  }
  let pty: Pty | undefined
  const terminal = {
    get pid() {
      return pty?.pid ?? 0
    },
    write: (data: Uint8Array) => pty?.write(data),
    interrupt: (data: Uint8Array) => pty?.interrupt(data) ?? false,
  }
  const screen = new Screen()
  const shownBytes = () => screen.bytes.length
  const driver = new ShellDriver({ integration: prepared.integration, nonce, files, terminal, shownBytes })
  pty = await nodePtyHost.spawn({
    file: options.shell,
    args: prepared.args,
    env: prepared.env,
    cwd,
    size: { columns: 80, rows: 24 },
    onData: (data) => screen.push(driver.feed(data)),
  })
  const running = pty
  const over = running.exit.then((exit) => screen.push(driver.end(exit)))
  return {
    driver,
    pty: running,
    cwd,
    nonce,
    get shown() {
      return screen.bytes
    },
    get plain() {
      return screen.plain
    },
    shows: (satisfies) => screen.until(satisfies),
    type: (text) => {
      driver.typed(Buffer.from(text))
      void running.write(Buffer.from(text))
    },
    execute: async (command, executeOptions) => {
      const { offset, ended } = await driver.execute(command, { whenBusy: 'wait', ...executeOptions })
      const end = await ended
      // What it was given last is shown when the driver returns.
      await Promise.resolve()
      return { ...end, output: screen.bytes.subarray(offset, end.endOffset) }
    },
    [Symbol.asyncDispose]: async () => {
      running.kill('SIGKILL')
      await over
      rmSync(root, { recursive: true, force: true })
    },
  }
}

class Screen {
  #pieces: Buffer[] = []
  #changed = Promise.withResolvers<void>()

  get bytes(): Buffer {
    this.#pieces = [Buffer.concat(this.#pieces)]
    return this.#pieces[0] ?? Buffer.alloc(0)
  }

  get plain(): string {
    // oxlint-disable-next-line no-control-regex -- this is the sequence
    return this.bytes.toString().replaceAll(/\r|\x1b\[\?2004[hl]/g, '')
  }

  push(data: Uint8Array): void {
    if (data.length > 0) this.#pieces.push(Buffer.from(data))
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  async until(satisfies: (shown: string) => boolean): Promise<void> {
    while (!satisfies(this.plain)) await this.#changed.promise
  }
}
