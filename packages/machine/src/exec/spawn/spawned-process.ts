import type { Readable, Writable } from 'node:stream'

/** What to start. */
export interface SpawnRequest {
  /** A name to look up on the PATH of `env`, or a path. */
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Whether it reads from us; otherwise from `/dev/null`. */
  readonly stdin: boolean
}

/** A started process, leader of a session and group of its own, over pipes. */
export interface SpawnedProcess {
  readonly pid: number
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable
  /** Resolves when the process itself has ended; its pipes may be open still. Never rejects. */
  readonly exit: Promise<ProcessExit>
}

/** Exactly one is not null. */
export interface ProcessExit {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}
