import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import type { ExecChunk, Execution, Machine, MachineSessions } from '@cmdop/core'
import { CmdopError, isRestricted, toCmdopError } from '@cmdop/protocol'
import { markIn } from '../../run/carried-state.ts'
import { MarkFilter } from '../../run/mark-filter.ts'
import type { Cassette } from './cassette.ts'
import { TapeCleaner } from './tape-cleaner.ts'
import { emptyTape, type RecordedCall, type RecordedChunk, requestOf, type Tape, writeTape } from './tape.ts'
import { askOf, executionOf, tapedMachine } from './taped-machine.ts'

/** A cassette that records a model, and the machines it is given. */
export function recorder(file: string, real: LanguageModelV4): Cassette {
  const tape = emptyTape(real)
  const cleaner = new TapeCleaner()
  const model: LanguageModelV4 = {
    specificationVersion: 'v4',
    provider: real.provider,
    modelId: real.modelId,
    supportedUrls: {},
    doGenerate: () => Promise.reject(new CmdopError('unsupported', 'A cassette only streams.')),
    doStream: recordedStream(tape, real),
  }
  cleaner.follow(model)
  return {
    model,
    machine: (machine) => {
      if (machine === undefined)
        throw new CmdopError('validation', 'Expected a machine to record; only a replay does without one.')
      const recorded = recordedMachine(tape, machine)
      cleaner.follow(recorded)
      return recorded
    },
    [Symbol.dispose]: () => writeTape(file, tape, cleaner),
  }
}

/** A call that failed is not on tape: whoever repeats it finds the one that did not. */
function recordedStream({ steps }: Tape, real: LanguageModelV4): LanguageModelV4['doStream'] {
  return async (options) => {
    const parts: LanguageModelV4StreamPart[] = []
    const step = { request: requestOf(options), parts }
    steps.push(step)
    const answer = await Promise.resolve(real.doStream(options)).catch((error: unknown) => {
      steps.splice(steps.indexOf(step), 1)
      throw error
    })
    const keep = new TransformStream<LanguageModelV4StreamPart, LanguageModelV4StreamPart>({
      transform: (part, controller) => {
        parts.push(part)
        controller.enqueue(part)
      },
    })
    return { ...answer, stream: answer.stream.pipeThrough(keep) }
  }
}

function recordedMachine(tape: Tape, machine: Machine): Machine {
  const { id, name, hostname, sessions, effects, runs } = machine
  tape.machines.push({ id, name, hostname })
  const exec: Machine['exec'] = (command, options = {}) => {
    const { cwd, env } = options
    const call: RecordedCall = { method: 'exec', args: [command, { cwd }], chunks: [] }
    tape.calls.push(call)
    return recordedExecution(machine.exec(command, options), call, markIn(env))
  }
  const ask = askOf(machine)
  const taped = tapedMachine(machine, exec, async (method, args) => {
    const call: RecordedCall = { method, args }
    tape.calls.push(call)
    return kept(call, () => ask(method, args))
  })
  return {
    ...taped,
    sessions: sessions && unrestricted(sessions),
    effects,
    runs,
    ...(machine.execResult && { execResult: machine.execResult.bind(machine) }),
  }
}

async function kept<Value>(call: RecordedCall, work: () => Promise<Value>): Promise<Value> {
  try {
    const value = await work()
    call.value = value ?? null
    return value
  } catch (error) {
    const { code, message, details } = toCmdopError(error, 'server', 'The machine met a fault of its own.')
    call.error = { code, message, details }
    throw error
  }
}

function recordedExecution(execution: Execution, call: RecordedCall, begin: string | undefined): Execution {
  const chunks = call.chunks as RecordedChunk[]
  const filter = begin === undefined ? undefined : new MarkFilter(begin, (text) => void (call.mark = text))
  const put = (stream: ExecChunk['stream'], data: Uint8Array): void => {
    if (data.length > 0) chunks.push({ stream, data })
  }
  const iterate = async function* (): AsyncGenerator<ExecChunk, void, void> {
    try {
      for await (const chunk of execution) {
        const { stream, data } = chunk
        put(stream, stream === 'stdout' || filter === undefined ? data : filter.push(data))
        yield chunk
      }
    } catch (error) {
      await kept(call, () => Promise.reject(error as Error)).catch(() => undefined)
      throw error
    } finally {
      if (filter !== undefined) put('stderr', filter.end())
    }
    await kept(call, () => execution.exit)
  }
  return executionOf(execution.callId, iterate(), execution.exit)
}

/** What a view of a session does is not on tape. */
function unrestricted(sessions: MachineSessions): MachineSessions {
  return {
    get: (id, options) => sessions.get(id, options),
    list: (options) => sessions.list(options),
    iter: (options) => sessions.iter(options),
    pages: (options) => sessions.pages(options),
    open: async (options) => {
      if (!isRestricted(options?.restrictions)) return sessions.open(options)
      throw new CmdopError('unsupported', 'A run with restrictions cannot be recorded on a cassette.')
    },
  }
}
