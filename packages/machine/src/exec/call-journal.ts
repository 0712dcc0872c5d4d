import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RecordingSubject } from '@cmdop/protocol'
import { z } from 'zod'

/** What a later daemon has to know of a call. */
export const CallRecord = z.strictObject({
  callId: z.string(),
  principalId: z.string(),
  fleetId: z.string(),
  startedAt: z.iso.datetime(),
  /** Of its recording, which says that it was lost. */
  recording: RecordingSubject.optional(),
})
export type CallRecord = z.infer<typeof CallRecord>

/**
 * One small file for each call that may still run, written before its process starts. It survives a killed daemon; a
 * crash of the whole machine ends the processes anyway, so nothing is flushed.
 */
export class CallJournal {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  begin(record: CallRecord): void {
    writeFileSync(this.#file(record.callId), JSON.stringify(record), { mode: 0o600, flag: 'wx' })
  }

  end(callId: string): void {
    rmSync(this.#file(callId), { force: true })
  }

  /** Calls of an earlier daemon. One that cannot be read (a daemon killed as it wrote) is nobody's, and still to be ended. */
  left(): CallRecord[] {
    return readdirSync(this.#folder).map((name) => {
      try {
        return CallRecord.parse(JSON.parse(readFileSync(join(this.#folder, name), 'utf8')))
      } catch {
        return unreadable(name)
      }
    })
  }

  #file(callId: string): string {
    return join(this.#folder, `${callId}.json`)
  }
}

function unreadable(name: string): CallRecord {
  return { callId: name.replace(/\.json$/, ''), principalId: '', fleetId: '', startedAt: new Date(0).toISOString() }
}
