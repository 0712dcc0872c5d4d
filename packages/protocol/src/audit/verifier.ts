import { CmdopError } from '../errors.ts'
import { ChainState } from './chain-state.ts'
import { ByteLines } from './lines.ts'
import { type AuditLine, type IsSigned, parseAuditLine } from './parse-line.ts'
import { NO_AUDIT_HASH } from './row.ts'
import type { AuditAnchor, AuditCheckpoint, AuditHead } from './statements.ts'
import type { AuditProblem, AuditVerification } from './verification.ts'

export interface AuditVerifierOptions {
  /** SHA-256, hex. */
  readonly sha256: (bytes: Uint8Array) => string
  readonly isSigned: IsSigned
  /** Checkpoints that were kept elsewhere: SHA-256 of the body by number. The export must have them, if it is not older. */
  readonly known?: ReadonlyMap<number, string>
  /** Takes an export that begins with this checkpoint; what was before it is not proven. */
  readonly fromCheckpoint?: number
}

type Row = Extract<AuditLine, { type: 'row' }>
/** Something that should have come; when it comes later it was reordered, otherwise it is missing. */
type Gap = Pick<AuditProblem, 'line' | 'chain' | 'sequence' | 'checkpoint'>

const NOWHERE = { chain: null, sequence: null, checkpoint: null } as const
const encoder = new TextEncoder()

/**
 * Follows an export from its first byte to its last, in the memory of one line and one state for each chain, and finds
 * the first thing that is wrong. Every byte of a row is in the hash that the next row, or a signed checkpoint, has of it.
 */
export class AuditVerifier {
  readonly #options: AuditVerifierOptions
  readonly #lines: ByteLines
  readonly #chains = new Map<string, ChainState>()
  #line = 0
  #rows = 0
  #checkpoints = 0
  #begins = 0
  #fleetId: string | null = null
  #relayId: string | null = null
  #at: string | null = null
  #last = { number: 0, hash: NO_AUDIT_HASH }
  /** The chain whose rows come just now. */
  #current: ChainState | undefined
  #gap: Gap | undefined
  /** Two rows that do not fit: either the first is changed, or what the second says of it. */
  #misfit: { readonly state: ChainState; readonly earlier: Gap; readonly later: Gap } | undefined
  /** A row whose chain should have come before, unless a checkpoint between is missing. */
  #disorder: Gap | undefined
  #problem: AuditProblem | undefined

  constructor(options: AuditVerifierOptions) {
    this.#options = options
    this.#lines = new ByteLines((line) => this.#take(line))
  }

  /** More of the export. Throws `validation` for one that leaves rows out. */
  push(chunk: Uint8Array): void {
    if (this.#problem === undefined) this.#lines.push(chunk)
  }

  /** There is no more. */
  end(): AuditVerification {
    this.#settle()
    const { number } = this.#last
    const newest = Math.max(0, ...(this.#options.known?.keys() ?? []))
    if (this.#at === null || this.#lines.isWithin)
      this.#report('truncated', { ...this.#here, line: this.#line + 1 }, 'The export has no end; it was cut.')
    else if (newest > number)
      this.#report(
        'truncated',
        { ...this.#here, checkpoint: number + 1 },
        `The export ends with checkpoint ${number}, but checkpoint ${newest} was kept elsewhere: later rows are gone.`,
      )
    return {
      ok: this.#problem === undefined,
      fleetId: this.#fleetId,
      relayId: this.#relayId,
      at: this.#at,
      begins: this.#begins,
      rows: this.#rows,
      chains: Array.from(this.#chains.values(), ({ head }) => head),
      checkpoints: this.#checkpoints,
      firstProblem: this.#problem ?? null,
    }
  }

  /** What is still in doubt at the end. */
  #settle(): void {
    if (this.#misfit !== undefined) this.#changed(this.#misfit.earlier)
    if (this.#disorder !== undefined) this.#reordered(this.#disorder)
    if (this.#gap !== undefined) this.#report('missing', this.#gap, `${nameOf(this.#gap)} is missing.`)
  }

  #take(bytes: Uint8Array): void {
    this.#line += 1
    if (this.#problem !== undefined) return
    const current = this.#current
    const isCertain = this.#gap === undefined && this.#misfit === undefined && this.#at === null
    if (isCertain && current?.isNext(bytes) === true) return this.#accept(current, bytes)
    const line = parseAuditLine(bytes, this.#options.isSigned)
    if (line.type === 'filtered' && this.#line === 1)
      throw new CmdopError('validation', 'This export was filtered, so it cannot be verified; export the whole log.')
    if (line.type === 'unknown' || line.type === 'filtered') return this.#changed(this.#here)
    if (line.type === 'forged') return this.#forged(line.statement)
    if (line.type === 'row') return this.#row(line, bytes)
    const { relayId, fleetId } = line.said
    if (this.#fleetId !== null && this.#fleetId !== fleetId) {
      // Until something signed names the fleet, it is known from the first row only.
      if (this.#relayId === null) return this.#changed({ ...NOWHERE, line: 1 })
      return this.#forged(line.type)
    }
    if (this.#relayId !== null && this.#relayId !== relayId) return this.#forged(line.type)
    this.#relayId = relayId
    this.#fleetId = fleetId
    const hash = this.#options.sha256(encoder.encode(line.body))
    if (line.type === 'anchor') this.#anchor(line.said)
    else if (line.type === 'checkpoint') this.#checkpoint(line.said, hash)
    else this.#endStatement(line.said)
  }

  #accept(state: ChainState, bytes: Uint8Array): void {
    state.advance(this.#options.sha256(bytes), this.#line)
    this.#rows += 1
  }

  #row(row: Row, bytes: Uint8Array): void {
    const place = { line: this.#line, chain: row.chain, sequence: row.sequence, checkpoint: null }
    const gap = this.#gap
    if (gap !== undefined) {
      if (gap.chain === row.chain && gap.sequence === row.sequence) this.#reordered(gap)
      return
    }
    if (this.#at !== null) return this.#reordered(place)
    const renamed = row.previous !== NO_AUDIT_HASH && this.#chainAt(row.previous)
    if (renamed && renamed.chain !== row.chain) return this.#changed(after(renamed, this.#line))
    if (this.#fleetId !== null && row.fleetId !== this.#fleetId) return this.#changed(place)
    this.#fleetId = row.fleetId
    const state = this.#chains.get(row.chain) ?? new ChainState(row.chain, row.fleetId)
    this.#judgeMisfit(state, row.previous === state.hash)
    if (this.#problem !== undefined) return
    const isExpected = row.sequence === state.sequence + 1
    if (row.previous === state.hash && !isExpected) return this.#changed(after(state, this.#line))
    if (!isExpected) {
      if (row.sequence <= state.sequence) this.#reordered(place)
      else this.#gap = after(state, this.#line)
      return
    }
    if (row.previous !== state.hash) {
      if (state.line === 0) return this.#changed(place)
      this.#misfit = { state, earlier: { ...place, line: state.line, sequence: state.sequence }, later: place }
    }
    if (this.#current !== undefined && this.#current.chain > row.chain) this.#disorder ??= place
    this.#chains.set(row.chain, state)
    this.#current = state
    this.#accept(state, bytes)
  }

  /** The next thing that is known of the later of two rows that do not fit tells which one is changed. */
  #judgeMisfit(state: ChainState, isLaterWhole: boolean): void {
    const misfit = this.#misfit
    if (misfit?.state !== state) return
    this.#changed(isLaterWhole ? misfit.earlier : misfit.later)
  }

  #anchor({ heads, number, hash }: AuditAnchor): void {
    if (this.#line > 1) return this.#reordered(this.#here, 'The anchor does not stand at the beginning.')
    this.#begin(number, hash, heads)
  }

  #begin(number: number, hash: string, heads: readonly AuditHead[]): void {
    this.#begins = number
    this.#last = { number, hash }
    for (const head of heads) {
      const state = new ChainState(head.chain, this.#fleetId ?? '')
      state.sequence = head.sequence
      state.hash = head.hash
      this.#chains.set(head.chain, state)
    }
  }

  #checkpoint({ number, previous, heads }: AuditCheckpoint, hash: string): void {
    const place = { ...NOWHERE, line: this.#line, checkpoint: number }
    if (this.#gap !== undefined) {
      if (this.#gap.checkpoint === number) this.#reordered(this.#gap)
      return
    }
    if (this.#line === 1 && number === this.#options.fromCheckpoint) return this.#begin(number, hash, heads)
    const expected = this.#last.number + 1
    if (this.#at !== null || number < expected) return this.#reordered(place)
    if (number > expected) {
      this.#disorder = undefined
      this.#gap = { ...place, checkpoint: expected }
      return
    }
    if (this.#disorder !== undefined) return this.#reordered(this.#disorder)
    this.#compareHeads(heads, place)
    if (this.#problem !== undefined || this.#gap !== undefined) return
    const known = this.#options.known?.get(number) ?? hash
    if (previous !== this.#last.hash || known !== hash)
      return this.#report('changed', place, `Checkpoint ${number} is of another history than the one before, or kept.`)
    this.#last = { number, hash }
    this.#checkpoints += 1
    this.#current = undefined
  }

  #compareHeads(heads: readonly AuditHead[], place: Gap): void {
    const named = new Map(heads.map((head) => [head.chain, head]))
    for (const state of this.#chains.values()) {
      const head = named.get(state.chain)
      this.#judgeMisfit(state, head?.hash === state.hash)
      const over = { ...place, line: state.line || place.line, chain: state.chain, sequence: state.sequence }
      if (head === undefined || head.sequence < state.sequence)
        return this.#reordered({ ...over, checkpoint: null, sequence: (head?.sequence ?? 0) + 1 })
      if (head.sequence === state.sequence && head.hash !== state.hash) this.#changed({ ...over, checkpoint: null })
    }
    const short = heads.find(({ chain, sequence }) => (this.#chains.get(chain)?.sequence ?? 0) < sequence)
    if (this.#problem !== undefined || short === undefined) return
    const has = this.#chains.get(short.chain)?.sequence ?? 0
    this.#gap = { line: place.line, chain: short.chain, sequence: has + 1, checkpoint: null }
  }

  #endStatement({ number, hash, at, rows }: { number: number; hash: string; at: string; rows: number }): void {
    if (this.#at !== null) return this.#reordered(this.#here)
    this.#at = at
    if (this.#gap !== undefined) return
    const place = { ...NOWHERE, line: this.#line, checkpoint: this.#last.number + 1 }
    if (number !== this.#last.number) this.#gap = place
    else if (hash !== this.#last.hash || rows !== this.#rows || this.#current !== undefined)
      this.#report('missing', place, 'The end of the export does not fit what stands before it.')
  }

  #chainAt(hash: string): ChainState | undefined {
    if (this.#current?.hash === hash) return this.#current
    for (const state of this.#chains.values()) if (state.hash === hash) return state
    return undefined
  }

  /** What should stand in this line. */
  get #here(): Gap {
    const { chain = null, sequence } = this.#current ?? {}
    return {
      line: this.#line,
      chain,
      sequence: sequence === undefined ? null : sequence + 1,
      checkpoint: null,
    }
  }

  #changed(place: Gap): void {
    this.#report('changed', place, `${nameOf(place)} is not what the relay wrote.`)
  }

  #reordered(place: Gap, message = `${nameOf(place)} does not stand at its place, or is there twice.`): void {
    this.#report('reordered', place, message)
  }

  #forged(statement: string): void {
    const checkpoint = statement === 'checkpoint' ? this.#last.number + 1 : null
    const place = { ...NOWHERE, line: this.#line, checkpoint }
    this.#report('forged', place, `The ${statement} in line ${this.#line} is not one that this relay signed.`)
  }

  #report(kind: AuditProblem['kind'], place: Gap, message: string): void {
    this.#problem ??= { kind, ...place, message }
  }
}

function after({ chain, sequence }: ChainState, line: number): Gap {
  return { line, chain, sequence: sequence + 1, checkpoint: null }
}

function nameOf({ line, chain, sequence, checkpoint }: Gap): string {
  if (checkpoint !== null) return `Checkpoint ${checkpoint}`
  return sequence === null ? `Line ${line}` : `Row ${sequence} of the chain ${chain}`
}
