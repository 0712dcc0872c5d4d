import { readFileSync, writeFileSync } from 'node:fs'
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import type { Machine } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import { steadyText } from '../../journal/drift.ts'
import type { TapeCleaner } from './tape-cleaner.ts'

/** Version of the file's form. */
const version = 2

/** A call of the model, as it was asked and as it answered. */
export interface RecordedStep {
  readonly request: unknown
  readonly parts: readonly LanguageModelV4StreamPart[]
}

/** A piece of a command's output. */
export interface RecordedChunk {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Uint8Array
}

/** A call of the machine, from its start on. */
export interface RecordedCall {
  /** `exec`, `facts`, `capabilities`, `files.read`, ... */
  readonly method: string
  readonly args: readonly unknown[]
  /** Of a command, without what carries over to the next one. */
  readonly chunks?: readonly RecordedChunk[]
  /** What carries over to the next command, without what is new in each run. */
  mark?: string
  /** What it gave, of a command how it ended. Without it and an error the call had not ended. */
  value?: unknown
  error?: { readonly code: CmdopError['code']; readonly message: string; readonly details: CmdopError['details'] }
}

/** What a run was. */
export interface Tape {
  readonly version: number
  readonly provider: string
  readonly modelId: string
  /** In the order in which they were put on tape. */
  readonly machines: Pick<Machine, 'id' | 'name' | 'hostname'>[]
  readonly steps: RecordedStep[]
  /** In the order in which they were made. */
  readonly calls: RecordedCall[]
}

/** A tape with nothing on it. */
export function emptyTape({ provider, modelId }: LanguageModelV4): Tape {
  return { version, provider, modelId, machines: [], steps: [], calls: [] }
}

/** Reads a tape. Throws `unsupported` for one of another version. */
export function readTape(file: string): Tape {
  const tape = JSON.parse(readFileSync(file, 'utf8')) as Tape
  if (tape.version !== version)
    throw new CmdopError(
      'unsupported',
      `The cassette ${file} has version ${String(tape.version)}, and this package reads ${version}. Record it again.`,
    )
  return { ...tape, steps: unpacked(tape.steps) as RecordedStep[], calls: unpacked(tape.calls) as RecordedCall[] }
}

/** Writes a tape, without secrets. */
export function writeTape(file: string, tape: Tape, cleaner: TapeCleaner): void {
  const clean = {
    ...tape,
    machines: cleaner.packed(tape.machines),
    steps: tape.steps.map(({ request, parts }) => ({ request: cleaner.packed(request), parts: cleaner.parts(parts) })),
    calls: tape.calls.map(({ method, args, chunks, ...end }) => ({
      method,
      args: comparable(method, args, cleaner),
      ...(chunks && { chunks: cleaner.packedChunks(chunks) }),
      ...(cleaner.packed(end) as object),
    })),
  }
  writeFileSync(file, `${JSON.stringify(clean, null, 1)}\n`)
}

/** What has to be the same of a call of the model: the conversation and the tools, without what is new in each run. */
export function requestOf({ prompt, tools }: LanguageModelV4CallOptions): unknown {
  return steady({ prompt, tools: tools ?? [] })
}

/** What has to be the same of a call of the machine. The hash of a file is not: a secret may have been in it. */
export function comparable(method: string, args: readonly unknown[], cleaner: TapeCleaner): unknown {
  const known = args.map((arg) =>
    method === 'files.write' && typeof (arg as { ifMatch?: unknown })?.ifMatch === 'string'
      ? { ...(arg as object), ifMatch: '<hash>' }
      : arg,
  )
  return steady(cleaner.packed(known))
}

function steady(value: unknown): unknown {
  return JSON.parse(steadyText(JSON.stringify(value))) as unknown
}

/** The value with its bytes as they were. */
function unpacked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpacked)
  if (typeof value !== 'object' || value === null) return value
  if ('$text' in value) return Buffer.from(String(value.$text))
  if ('$base64' in value) return Buffer.from(String(value.$base64), 'base64')
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, unpacked(each)]))
}
