import type { LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { readSecrets } from '../../config.ts'
import { createRedactor, redactedMark, type Redactor } from '../../redact/redactor.ts'
import { listenForRedactors } from '../../redact/run-redactor.ts'
import type { RecordedChunk } from './tape.ts'

/** Stands for each byte of a secret, so that what comes after it stays where it was. */
const substitute = '\x1a'

/** Parts of a model's answer that say a piece of a text. */
type Delta = Extract<LanguageModelV4StreamPart, { delta: string }>

/** Cuts secrets out of what is on a tape, by the redactors of the runs that were recorded or are played. */
export class TapeCleaner {
  readonly #redactors = new Set<Redactor>()

  /** From now on, the runs with this model or on this machine are known, and cut out what stands for a secret. */
  follow(object: object): void {
    listenForRedactors(object, {
      secrets: [substitute.repeat(4)],
      onRedactor: (redactor) => void this.#redactors.add(redactor),
    })
  }

  /** A value as JSON without secrets, and with bytes as `$text` or `$base64`. Signals and functions are left out. */
  packed(value: unknown): unknown {
    if (typeof value === 'string') return this.#text(value)
    if (value instanceof Uint8Array) return packedBytes(this.#masked(value))
    if (Array.isArray(value)) return value.map((each) => this.packed(each))
    if (typeof value !== 'object' || value === null || value instanceof Date) return value
    const entries = Object.entries(value).filter(([, each]) => each !== undefined && !(each instanceof AbortSignal))
    return Object.fromEntries(entries.map(([key, each]) => [this.#text(key), this.packed(each)]))
  }

  /** Output of a command; a secret is found across its pieces. */
  packedChunks(chunks: readonly RecordedChunk[]): unknown {
    const whole = (name: string): Buffer =>
      this.#masked(Buffer.concat(chunks.filter(({ stream }) => stream === name).map(({ data }) => data)))
    const left = { stdout: whole('stdout'), stderr: whole('stderr') }
    return chunks.map(({ stream, data }) => {
      const piece = left[stream].subarray(0, data.length)
      left[stream] = left[stream].subarray(data.length)
      return { stream, data: packedBytes(piece) }
    })
  }

  /** What a model answered. Pieces of one text are joined, because a secret may stand in several. */
  parts(parts: readonly LanguageModelV4StreamPart[]): unknown {
    return joined(parts).map((part) => {
      if (part.type === 'tool-input-delta') return { ...part, delta: this.#json(part.delta) }
      if (part.type === 'tool-call') return { ...part, input: this.#json(part.input) }
      return this.packed(part)
    })
  }

  /** Each run's own; without a run what is known of the environment. */
  get #all(): readonly Redactor[] {
    return this.#redactors.size === 0 ? [createRedactor(readSecrets())] : [...this.#redactors]
  }

  #text(text: string): string {
    return this.#all.reduce((clean, redactor) => redactor.text(clean), text)
  }

  /** The input of a tool as the model wrote it. */
  #json(text: string): string {
    try {
      const input: unknown = JSON.parse(text)
      return JSON.stringify(this.#all.reduce<unknown>((clean, redactor) => redactor.value(clean), input))
    } catch {
      return this.#text(text)
    }
  }

  #masked(data: Uint8Array): Buffer {
    return this.#all.reduce<Buffer>((clean, redactor) => masked(clean, redactor), Buffer.from(data))
  }
}

/** The bytes with as many others in place of each secret. What is left is what the redactor left, and nothing else. */
function masked(data: Buffer, redactor: Redactor): Buffer {
  const bytes = data.toString('latin1')
  const clean = redactor.within(data, 0, data.length).toString('latin1')
  if (clean === bytes) return data
  const [first = '', ...others] = clean.split(redactedMark)
  const last = others.pop() ?? ''
  let result = first
  for (const piece of others) {
    const at = Math.max(bytes.indexOf(piece, result.length), result.length)
    result += substitute.repeat(at - result.length) + piece
  }
  const left = Math.max(0, bytes.length - last.length - result.length)
  return Buffer.from(result + substitute.repeat(left) + last, 'latin1')
}

function packedBytes(data: Buffer): unknown {
  const text = data.toString()
  return Buffer.from(text).equals(data) ? { $text: text } : { $base64: data.toString('base64') }
}

function joined(parts: readonly LanguageModelV4StreamPart[]): LanguageModelV4StreamPart[] {
  const open = new Map<string, Delta>()
  return parts.flatMap((part): LanguageModelV4StreamPart[] => {
    if (part.type.endsWith('-end') && 'id' in part) open.delete(part.id)
    if (!('delta' in part)) return [part]
    const before = open.get(part.id)
    if (before?.type !== part.type) {
      const first = { ...part }
      open.set(part.id, first)
      return [first]
    }
    before.delta += part.delta
    if (part.providerMetadata !== undefined) before.providerMetadata = part.providerMetadata
    return []
  })
}
