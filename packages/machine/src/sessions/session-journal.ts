import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SessionInfo } from '@cmdop/protocol'

/** Sessions that are over and still known, the latest, and for how many milliseconds. */
const MAX_OVER = 100
const OVER_KNOWN_MS = 7 * 24 * 3_600_000

/**
 * One small file for each session: in one folder while it runs, written before its shell starts, in another once it is
 * over. It survives a killed daemon; nothing is flushed, for a crash of the whole machine ends the shells anyway.
 */
export class SessionJournal {
  readonly #running: string
  readonly #over: string

  constructor(folder: string) {
    this.#running = join(folder, 'running')
    this.#over = join(folder, 'over')
    for (const each of [this.#running, this.#over]) mkdirSync(each, { recursive: true, mode: 0o700 })
  }

  begin(info: SessionInfo): void {
    writeFileSync(join(this.#running, fileOf(info.sessionId)), JSON.stringify(info), { mode: 0o600, flag: 'wx' })
  }

  /** Nothing of it ever ran. */
  forget(sessionId: string): void {
    rmSync(join(this.#running, fileOf(sessionId)), { force: true })
  }

  /** Nothing of it is to be ended any more. */
  end(info: SessionInfo): void {
    writeFileSync(join(this.#over, fileOf(info.sessionId)), JSON.stringify(info), { mode: 0o600 })
    this.forget(info.sessionId)
  }

  /** Sessions of an earlier daemon; of one that cannot be read only its id is known, and it is still to be ended. */
  left(): { readonly sessionId: string; readonly info: SessionInfo | undefined }[] {
    return readdirSync(this.#running).map((name) => ({
      sessionId: name.replace(/\.json$/, ''),
      info: readInfo(join(this.#running, name)),
    }))
  }

  /** A session that is over. */
  find(sessionId: string): SessionInfo | undefined {
    return readInfo(join(this.#over, fileOf(sessionId)))
  }

  /** Sessions that are over, the latest last; forgets those that were over long ago. */
  over(): SessionInfo[] {
    const files = readdirSync(this.#over)
      .map((name) => join(this.#over, name))
      .map((file) => ({ file, at: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
      .sort((left, right) => left.at - right.at)
    const oldest = Date.now() - OVER_KNOWN_MS
    const kept = files.slice(-MAX_OVER).filter(({ at }) => at >= oldest)
    for (const { file } of files.slice(0, files.length - kept.length)) rmSync(file, { force: true })
    return kept.map(({ file }) => readInfo(file)).filter((info) => info !== undefined)
  }
}

function fileOf(sessionId: string): string {
  return `${sessionId}.json`
}

function readInfo(file: string): SessionInfo | undefined {
  try {
    return SessionInfo.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return undefined
  }
}
