import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Milliseconds that a program may take to say its version. */
const LIMIT_MS = 5_000
/** Bytes that it may say. */
const MAX_OUTPUT_BYTES = 64 * 1024

/** What programs say of their version: each is asked once, so that it is made anew for whatever has to be true now. */
export class ProgramVersions {
  readonly #environment: Readonly<Record<string, string>>
  readonly #known = new Map<string, Promise<string | null>>()

  /** They run as this user, outside any restriction, in `environment`: the daemon's own. */
  constructor(environment: Readonly<Record<string, string>>) {
    this.#environment = environment
  }

  /** `24.21.0`, of a file by its absolute path; null where it does not say. */
  of(file: string): Promise<string | null> {
    const known = this.#known.get(file) ?? this.#ask(file)
    this.#known.set(file, known)
    return known
  }

  async #ask(file: string): Promise<string | null> {
    const options = {
      env: this.#environment,
      cwd: '/',
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
      maxBuffer: MAX_OUTPUT_BYTES,
    } as const
    // Python before 3.4 says it on stderr.
    const said = await run(file, ['--version'], options).then(
      ({ stdout, stderr }) => `${stdout}${stderr}`,
      () => '',
    )
    return /\d+(?:\.\d+)+/.exec(said)?.[0] ?? null
  }
}
