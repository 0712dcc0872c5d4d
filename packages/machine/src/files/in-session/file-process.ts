import { fileURLToPath } from 'node:url'
import { type Channel, CmdopError, Connection } from '@cmdop/protocol'
import type { SandboxProcess, SandboxRequest } from '@cmdop/sandbox'
import { forwardChannel } from './forward.ts'
import { createStreamTransport } from './stream-transport.ts'

/** Milliseconds in which the process must have said something; a loaded machine takes a while. */
const START_MS = 60_000

/** Milliseconds in which the process removes what is half-written, before it is killed. */
const END_MS = 2000

/** Megabytes of its heap; content is not in it. */
const HEAP_MB = 256

/** Characters of what it says at its end that are kept. */
const MAX_SAID = 2000

/** Starts a program where files are to be served. */
export type Spawn = (request: SandboxRequest) => Promise<SandboxProcess>

/**
 * A process in a view that serves the files there, as its system calls see them. What it says is not trusted: a command in
 * the same view may speak for it.
 */
export class FileProcess implements AsyncDisposable {
  /** Resolves when it is gone. Never rejects. */
  readonly over: Promise<void>
  readonly #program: SandboxProcess
  readonly #connection: Connection

  private constructor(program: SandboxProcess, connection: Connection) {
    this.#program = program
    this.#connection = connection
    this.over = connection.closed.then(() => this.#end())
  }

  /** Starts one. Throws `unsupported` where it cannot run under the restrictions of the place. */
  static async start(spawn: Spawn): Promise<FileProcess> {
    const program = await spawn(request()).catch((cause: unknown) => {
      throw notStarted(cause)
    })
    const said = keepEnd(program)
    try {
      await untilSpoken(program)
      const { stdout: input, stdin: output } = program
      if (output === null) throw new Error('The process has no input.')
      const connection = new Connection(createStreamTransport({ input, output }), { role: 'dialer', hello: () => ({}) })
      await connection.ready
      return new FileProcess(program, connection)
    } catch (cause) {
      program.kill('SIGKILL')
      const exit = await program.exit
      close(program)
      throw notStarted(new Error(said(), { cause }), { ...exit })
    }
  }

  get isOver(): boolean {
    return this.#connection.isClosed
  }

  /**
   * Has a call served there, with these parameters. Resolves with the trailer of its answer, which is not passed on yet.
   * Throws what it is refused with, and `server` when the process ends early.
   */
  async serve(channel: Channel, params: Record<string, unknown>): Promise<{ trailer: unknown }> {
    const { method, target, callId } = channel.open
    if (this.isOver) throw endedEarly(await this.#connection.closed)
    try {
      const served = this.#connection.open({ method, target, callId, params })
      return { trailer: await forwardChannel(channel, served) }
    } catch (error) {
      if (this.isOver && (await this.#connection.closed) === error) throw endedEarly(error)
      throw error
    }
  }

  /** Ends it at once, and resolves when it is gone. */
  async kill(): Promise<void> {
    this.#program.kill('SIGKILL')
    this.#connection.close()
    await this.over
  }

  /** Ends it; it removes what is half-written. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close()
    await this.over
  }

  async #end(): Promise<void> {
    const timer = setTimeout(() => this.#program.kill('SIGKILL'), END_MS)
    await this.#program.exit
    clearTimeout(timer)
    close(this.#program)
  }
}

/** Nothing of the daemon's is in its environment, and no descriptor of it is open there. */
function request(): SandboxRequest {
  const isSource = import.meta.url.endsWith('.ts')
  const program = fileURLToPath(new URL(`./file-process-main.${isSource ? 'ts' : 'js'}`, import.meta.url))
  const flags = [`--max-old-space-size=${HEAP_MB}`, ...(isSource ? ['--conditions=@cmdop/source'] : [])]
  return { file: process.execPath, args: [...flags, program], cwd: '/', env: {}, stdin: true }
}

/** Resolves when there is something to read of it. Rejects when it ended before, or says nothing. */
async function untilSpoken({ stdout }: SandboxProcess): Promise<void> {
  const spoken = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => spoken.resolve(false), START_MS)
  const look = () => spoken.resolve(stdout.readableLength > 0)
  const events = ['readable', 'close', 'error'] as const
  for (const event of events) stdout.once(event, look)
  try {
    if (!(await spoken.promise)) throw new Error('The process said nothing.')
  } finally {
    clearTimeout(timer)
    for (const event of events) stdout.off(event, look)
  }
}

function close({ stdin, stdout, stderr }: SandboxProcess): void {
  for (const stream of [stdin, stdout, stderr]) stream?.destroy()
}

/** Reads what it says beside, and keeps the end of it for who looks for a fault. */
function keepEnd({ stderr }: SandboxProcess): () => string {
  let said = ''
  stderr.on('error', () => {})
  stderr.on('data', (data: Buffer) => {
    said = (said + data.toString()).slice(-MAX_SAID)
  })
  return () => said
}

function notStarted(cause: unknown, details: Record<string, unknown> = {}): CmdopError {
  return new CmdopError(
    'unsupported',
    'The files of this session cannot be served: its restrictions do not let the program for it run. Use commands instead.',
    { cause, details },
  )
}

function endedEarly(cause: unknown): CmdopError {
  return new CmdopError('server', 'What serves the files of the session ended during the call.', {
    cause,
    idempotent: true,
  })
}
