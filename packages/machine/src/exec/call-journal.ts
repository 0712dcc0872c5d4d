import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { CmdopError, errnoOf, RecordingSubject } from '@cmdop/protocol'
import { z } from 'zod'

/** Bytes of the file from which on it is written anew, without what is over. */
const COMPACT_BYTES = 1024 * 1024

/** What a later daemon has to know of a call. */
export const CallRecord = z.strictObject({
  callId: z.string(),
  principalId: z.string(),
  fleetId: z.string(),
  startedAt: z.iso.datetime(),
  /** Of its recording, which says that it was lost. */
  recording: RecordingSubject.optional(),
  /** How it ends is remembered. */
  keepResult: z.boolean().optional(),
  /** It has ended; what it left running was left on purpose. */
  hasEnded: z.boolean().optional(),
})
export type CallRecord = z.infer<typeof CallRecord>

const Line = z.union([
  z.strictObject({ begin: CallRecord }),
  z.strictObject({ ended: z.string() }),
  /** Its recording is written; how it ended is not remembered yet. */
  z.strictObject({ recorded: z.string() }),
  z.strictObject({ forget: z.string() }),
  /** The first line: since which start of the machine it is written. */
  z.strictObject({ boot: z.string() }),
  /** The last line of a daemon that stopped: all of it is on the disk. */
  z.strictObject({ closed: z.literal(true) }),
])

/** What becomes of a call. */
type Change = Extract<z.infer<typeof Line>, { ended: string } | { recorded: string } | { forget: string }>

export interface CallJournalOptions {
  /** Which start of the machine this is; empty: nobody knows. Default: the system's. */
  readonly boot?: string | undefined
  /** No daemon was here before, so that a journal is not missed. Default: true. */
  readonly isFirst?: boolean
  /** The machine itself went down under an earlier daemon, or nobody knows that it did not; called before this one's file is written. */
  readonly onCrash?: () => void
}

/** Given anew each time the machine starts, on Linux (proc_sys_kernel(5)). */
const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/**
 * A line for each call that begins, written before its process starts, and one for each thing that becomes of it. It is not flushed for each call: it
 * survives a killed daemon, and one that finds that the machine itself went down meanwhile says that it may not know everything.
 */
export class CallJournal implements Disposable {
  readonly #file: string
  /** What is not over. */
  readonly #open: Map<string, CallRecord>
  readonly #left: readonly CallRecord[]
  readonly #boot: string
  #descriptor: number
  #bytes = 0
  #compactAt = COMPACT_BYTES
  /** Whether every call is known that an earlier daemon began: not after a crash of the machine. */
  readonly isWhole: boolean

  constructor(folder: string, { boot = readBoot(), isFirst = true, onCrash = () => {} }: CallJournalOptions = {}) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.#file = join(folder, 'journal.jsonl')
    const { open, isClosed, boot: before } = readJournal(this.#file)
    this.isWhole = before === undefined ? isFirst : isClosed || (before === boot && boot !== '')
    this.#open = open
    this.#left = [...open.values()]
    // First what is true from now on: a daemon that starts after this one finds its boot in the file.
    const isSaid = this.isWhole || succeeds(onCrash)
    this.#boot = isSaid ? boot : (before ?? '')
    this.#descriptor = (isSaid ? this.#writeAnew() : undefined) ?? openSync(this.#file, 'a', 0o600)
    syncFolder(folder)
  }

  begin(record: CallRecord): void {
    const { callId } = record
    if (this.#open.has(callId)) throw new CmdopError('conflict', `The call ${callId} is in the journal already.`)
    this.#append(lineOf({ begin: record }))
    this.#open.set(callId, record)
  }

  /** A later daemon ends nothing of it. */
  ended(callId: string): void {
    this.#note({ ended: callId })
  }

  /** A later daemon has not to say in a recording that the call was lost. */
  recorded(callId: string): void {
    this.#note({ recorded: callId })
  }

  /** There is nothing that a later daemon has to do for it. */
  forget(callId: string): void {
    this.#note({ forget: callId })
    if (this.#bytes > this.#compactAt) this.#compact()
  }

  /** Calls of an earlier daemon that were not over. */
  left(): readonly CallRecord[] {
    return this.#left
  }

  /** The daemon stops: from now on all of it is on the disk. */
  [Symbol.dispose](): void {
    this.#append(lineOf({ closed: true }))
    fsyncSync(this.#descriptor)
    closeSync(this.#descriptor)
  }

  #note(line: Change): void {
    if (apply(this.#open, line)) this.#append(lineOf(line))
  }

  #append(line: string): void {
    const written = writeSync(this.#descriptor, line)
    this.#bytes += written
    if (written < Buffer.byteLength(line))
      throw new CmdopError('exec_failed', 'The journal of calls cannot be written; is the disk of the machine full?')
  }

  #compact(): void {
    const former = this.#descriptor
    this.#descriptor = this.#writeAnew() ?? former
    if (this.#descriptor !== former) closeSync(former)
    else this.#compactAt *= 2
  }

  /**
   * A new file with what is open, whole on the disk before it takes the place of the other; its descriptor. Undefined where the disk
   * takes none: the other file goes on.
   */
  #writeAnew(): number | undefined {
    const content = [{ boot: this.#boot }, ...Array.from(this.#open.values(), (begin) => ({ begin }))]
      .map(lineOf)
      .join('')
    const fresh = `${this.#file}.new`
    let descriptor: number | undefined
    try {
      rmSync(fresh, { force: true })
      descriptor = openSync(fresh, 'ax', 0o600)
      writeFileSync(descriptor, content, { flush: true })
      renameSync(fresh, this.#file)
    } catch {
      if (descriptor !== undefined) closeSync(descriptor)
      return undefined
    }
    this.#bytes = Buffer.byteLength(content)
    this.#compactAt = Math.max(COMPACT_BYTES, 2 * this.#bytes)
    return descriptor
  }
}

/** The end of a line stands before it, so that one that could not be written whole spoils no other. */
function lineOf(line: z.input<typeof Line>): string {
  return `\n${JSON.stringify(line)}`
}

interface Journal {
  /** What began and is not over. */
  readonly open: Map<string, CallRecord>
  readonly boot: string | undefined
  /** Its daemon has stopped in order. */
  readonly isClosed: boolean
}

/** A line that cannot be read was being written as the daemon was killed: nothing had been started. */
function readJournal(file: string): Journal {
  const text = read(file)
  const open = new Map<string, CallRecord>()
  let boot: string | undefined
  let isClosed = false
  for (const each of text.split('\n')) {
    const line = parse(each)
    if (line === undefined) continue
    isClosed = 'closed' in line
    if ('begin' in line) open.set(line.begin.callId, line.begin)
    else if ('boot' in line) boot = line.boot
    else if (!('closed' in line)) apply(open, line)
  }
  return { open, boot, isClosed }
}

function succeeds(act: () => void): boolean {
  try {
    act()
    return true
  } catch {
    return false
  }
}

/** Whether it says something new. */
function apply(open: Map<string, CallRecord>, line: Change): boolean {
  if ('forget' in line) return open.delete(line.forget)
  const callId = 'ended' in line ? line.ended : line.recorded
  const known = open.get(callId)
  if (known === undefined) return false
  const { recording, ...record } = known
  open.set(callId, 'ended' in line ? { ...known, hasEnded: true } : record)
  return 'ended' in line ? known.hasEnded !== true : recording !== undefined
}

/** Empty where the system has none. */
function readBoot(): string {
  return read(BOOT_ID).trim()
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  }
}

function parse(text: string): z.infer<typeof Line> | undefined {
  try {
    return Line.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  fsyncSync(descriptor)
  closeSync(descriptor)
}
