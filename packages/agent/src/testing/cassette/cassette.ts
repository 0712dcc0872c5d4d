import { readFileSync, writeFileSync } from 'node:fs'
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import type { ExecChunk, ExecExit, Execution, Machine } from '@cmdop/core'
import { CmdopError, isCmdopError } from '@cmdop/protocol'
import { markIn } from '../run/carried-state.ts'
import { MarkFilter } from '../run/mark-filter.ts'
import { firstDifference } from '../journal/first-difference.ts'

/** Version of the file's form. */
const version = 1

/** A call of the model, as it was asked and as it answered. */
interface RecordedStep {
  readonly request: unknown
  readonly parts: readonly LanguageModelV4StreamPart[]
}

/** A command, as it was given and as it went. */
interface RecordedCommand {
  readonly command: string | readonly string[]
  readonly chunks: readonly { readonly stream: ExecChunk['stream']; readonly base64: string }[]
  /** What carries over to the next command, without what is new in each run. */
  readonly mark?: string | undefined
  readonly exit: ExecExit | null
  readonly error: { readonly code: CmdopError['code']; readonly message: string } | null
}

/** What a run was, in a file. */
interface Tape {
  readonly version: typeof version
  readonly provider: string
  readonly modelId: string
  readonly steps: RecordedStep[]
  readonly commands: RecordedCommand[]
}

/** A run on tape: its model, and if you want its commands too. */
export interface Cassette extends Disposable {
  readonly model: LanguageModelV4
  /** The machine with its commands on tape. Replayed, none of them runs; without this they run for real. */
  machine(machine: Machine): Machine
}

/**
 * Records a run with a real model once, and replays it without one. While it records, `model` is called and the file is
 * written when the cassette is disposed; while it replays, `model` is not needed. A run that asks for something else than
 * was recorded is `conflict`, with the first difference; one that ends early fails when the cassette is disposed. The file
 * has prompts and answers in it, and of secrets what the run itself had: nothing.
 */
export function cassette(file: string, options: { record: LanguageModelV4 } | { replay: true }): Cassette {
  return 'record' in options
    ? recorder(file, options.record)
    : player(file, JSON.parse(readFileSync(file, 'utf8')) as Tape)
}

function recorder(file: string, model: LanguageModelV4): Cassette {
  const tape: Tape = { version, provider: model.provider, modelId: model.modelId, steps: [], commands: [] }
  const doStream: LanguageModelV4['doStream'] = async (options) => {
    const parts: LanguageModelV4StreamPart[] = []
    tape.steps.push({ request: requestOf(options), parts })
    const answer = await model.doStream(options)
    const keep = new TransformStream<LanguageModelV4StreamPart, LanguageModelV4StreamPart>({
      transform: (part, controller) => {
        parts.push(part)
        controller.enqueue(part)
      },
    })
    return { ...answer, stream: answer.stream.pipeThrough(keep) }
  }
  const exec: (machine: Machine) => Machine['exec'] = (machine) => (command, options) => {
    const execution = machine.exec(command, options)
    const chunks: RecordedCommand['chunks'][number][] = []
    let mark: string | undefined
    const begin = markIn(options?.env)
    const filter = begin === undefined ? undefined : new MarkFilter(begin, (text) => (mark = text))
    const put = (stream: ExecChunk['stream'], data: Uint8Array): void => {
      if (data.length > 0) chunks.push({ stream, base64: Buffer.from(data).toString('base64') })
    }
    const keep = (exit: ExecExit | null, error: unknown): void => {
      if (filter !== undefined) put('stderr', filter.end())
      const known = isCmdopError(error) ? { code: error.code, message: error.message } : null
      tape.commands.push({ command, chunks, mark, exit, error: known })
    }
    const iterate = async function* (): AsyncGenerator<ExecChunk, void, void> {
      try {
        for await (const chunk of execution) {
          const { stream, data } = chunk
          put(stream, stream === 'stdout' || filter === undefined ? data : filter.push(data))
          yield chunk
        }
        keep(await execution.exit, undefined)
      } catch (error) {
        keep(null, error)
        throw error
      }
    }
    return executionOf(iterate(), execution.exit)
  }
  return {
    model: modelOf(tape, doStream),
    machine: (machine) => ({
      ...machine,
      files: machine.files,
      facts: (given) => machine.facts(given),
      exec: exec(machine),
    }),
    [Symbol.dispose]: () => writeFileSync(file, `${JSON.stringify(tape, null, 1)}\n`),
  }
}

function player(file: string, tape: Tape): Cassette {
  if (tape.version !== version)
    throw new CmdopError(
      'unsupported',
      `The cassette ${file} has version ${String(tape.version)}; this package reads another one.`,
    )
  let steps = 0
  let commands = 0
  const doStream: LanguageModelV4['doStream'] = async (options) => {
    const recorded = tape.steps[steps++]
    const difference =
      recorded === undefined ? 'the run asks for another step' : firstDifference(recorded.request, requestOf(options))
    if (recorded === undefined || difference !== undefined) throw drift(file, `step ${steps}`, difference ?? '')
    return { stream: ReadableStream.from(recorded.parts) }
  }
  const exec: Machine['exec'] = (command, options) => {
    const recorded = tape.commands[commands++]
    const difference =
      recorded === undefined ? 'the run gives another command' : firstDifference(recorded.command, command)
    const error = difference === undefined ? undefined : drift(file, `command ${commands}`, difference)
    return replayed(recorded, error, markIn(options?.env))
  }
  return {
    model: modelOf(tape, doStream),
    machine: (machine) => ({
      ...machine,
      files: machine.files,
      facts: (given) => machine.facts(given),
      sessions: undefined, // Nothing runs that they could show.
      exec,
    }),
    [Symbol.dispose]: () => {
      if (steps < tape.steps.length)
        throw drift(file, `step ${steps + 1}`, `the run ended after ${steps} of ${tape.steps.length} steps`)
    },
  }
}

function modelOf({ provider, modelId }: Tape, doStream: LanguageModelV4['doStream']): LanguageModelV4 {
  const doGenerate = () => Promise.reject(new CmdopError('unsupported', 'A cassette only streams.'))
  return { specificationVersion: 'v4', provider, modelId, supportedUrls: {}, doGenerate, doStream }
}

/** What has to be the same: the conversation and the tools, without what is new in each run. */
function requestOf({ prompt, tools }: LanguageModelV4CallOptions): unknown {
  const text = JSON.stringify({ prompt, tools: tools ?? [] })
  return JSON.parse(text.replace(/data-[0-9a-f]{24}/g, 'data-<nonce>').replace(/\b\d+ ms\b/g, '<time>')) as unknown
}

function replayed(
  recorded: RecordedCommand | undefined,
  fault: CmdopError | undefined,
  begin: string | undefined,
): Execution {
  const error = fault ?? (recorded?.error ? new CmdopError(recorded.error.code, recorded.error.message) : undefined)
  const exit = error === undefined && recorded?.exit ? Promise.resolve(recorded.exit) : Promise.reject(error)
  exit.catch(() => undefined)
  const iterate = async function* (): AsyncGenerator<ExecChunk, void, void> {
    if (fault !== undefined) throw fault
    let offset = 0
    const pieces = (recorded?.chunks ?? []).map(({ stream, base64 }) => ({
      stream,
      data: Buffer.from(base64, 'base64'),
    }))
    if (begin !== undefined && recorded?.mark !== undefined)
      pieces.push({ stream: 'stderr', data: Buffer.from(`${begin}${recorded.mark}\x07`) })
    for (const { stream, data } of pieces) {
      yield { stream, data, offset }
      offset += data.length
    }
    await exit
  }
  return executionOf(iterate(), exit)
}

/** An execution that is only iterated, as our loop does. */
function executionOf(chunks: AsyncGenerator<ExecChunk, void, void>, exit: Promise<ExecExit>): Execution {
  const unsupported = Promise.reject(new CmdopError('unsupported', 'A command on a cassette is iterated, not awaited.'))
  unsupported.catch(() => undefined)
  return {
    callId: 'cassette',
    exit,
    // oxlint-disable-next-line unicorn/no-thenable -- The contract says that an execution can be awaited.
    then: (fulfilled, rejected) => unsupported.then(fulfilled, rejected),
    [Symbol.asyncIterator]: () => chunks,
    [Symbol.asyncDispose]: async () => void (await chunks.return()),
  }
}

function drift(file: string, where: string, difference: string): CmdopError {
  return new CmdopError(
    'conflict',
    `The run is not the one on the cassette ${file}. At ${where}: ${difference}. Record it again if that is meant.`,
  )
}
