import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { ExecChunk, ExecExit, Execution, Machine } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import { drift } from '../../journal/drift.ts'
import { firstDifference } from '../../journal/first-difference.ts'
import { markIn } from '../../run/carried-state.ts'
import type { Cassette, ReplayCassette } from './cassette.ts'
import { TapeCleaner } from './tape-cleaner.ts'
import { comparable, readTape, type RecordedCall, requestOf, type Tape } from './tape.ts'
import { askOf, executionOf, tapedMachine } from './taped-machine.ts'

/** A cassette that plays what was recorded. */
export function player(file: string, commands: NonNullable<ReplayCassette['commands']>): Cassette {
  const cleaner = new TapeCleaner()
  const playing = new Playing(file, cleaner)
  const model = playing.model()
  cleaner.follow(model)
  return {
    model,
    machine: (machine) => {
      if (commands === 'real' && machine === undefined)
        throw new CmdopError('validation', 'Expected a machine to run the commands on.')
      const played = playing.machine(commands === 'real' ? machine : undefined)
      cleaner.follow(played)
      return played
    },
    [Symbol.dispose]: () => playing.end(),
  }
}

/** How far a tape is played. */
class Playing {
  readonly #file: string
  readonly #tape: Tape
  readonly #cleaner: TapeCleaner
  readonly #left: RecordedCall[]
  #machines = 0
  #steps = 0
  /** The first difference, by which the run ends however it went on. */
  #drift: CmdopError | undefined
  #isTold = false

  constructor(file: string, cleaner: TapeCleaner) {
    this.#file = file
    this.#tape = readTape(file)
    this.#cleaner = cleaner
    this.#left = [...this.#tape.calls]
  }

  model(): LanguageModelV4 {
    const { provider, modelId } = this.#tape
    return {
      specificationVersion: 'v4',
      provider,
      modelId,
      supportedUrls: {},
      doGenerate: () => Promise.reject(new CmdopError('unsupported', 'A cassette only streams.')),
      doStream: async (options) => {
        const recorded = this.#tape.steps[this.#steps++]
        const request = this.#cleaner.packed(requestOf(options))
        const difference =
          recorded === undefined ? 'the run asks for another step' : firstDifference(recorded.request, request)
        if (difference !== undefined) this.#drifted(`step ${this.#steps}`, difference)
        this.#throwDrift()
        return { stream: ReadableStream.from(recorded?.parts ?? []) }
      },
    }
  }

  /** `real`: what is asked, instead of the tape. */
  machine(real: Machine | undefined): Machine {
    const recorded = this.#tape.machines[this.#machines++]
    if (recorded === undefined)
      throw new CmdopError('validation', `The cassette ${this.#file} has no machine ${this.#machines}: record it.`)
    if (real !== undefined) return tapedMachine(recorded, (...args) => real.exec(...args), askOf(real))
    const exec: Machine['exec'] = (command, { cwd, env } = {}) =>
      playedExecution(() => this.#take('exec', [command, { cwd }]), markIn(env))
    return tapedMachine(recorded, exec, async (method, args) => {
      const call = this.#take(method, args)
      if (call.value === undefined) throw errorOf(call)
      return call.value
    })
  }

  /** Throws what nobody was told: that the run ended early, or went another way. */
  end(): void {
    if (this.#isTold) return
    const { length } = this.#tape.steps
    if (this.#steps < length)
      this.#drifted(`step ${this.#steps + 1}`, `the run ended after ${this.#steps} of ${length} steps`)
    this.#throwDrift()
  }

  /** The first call that is left and the same: side by side, calls may come in another order. Throws `conflict`. */
  #take(method: string, args: readonly unknown[]): RecordedCall {
    const asked = { method, args: comparable(method, args, this.#cleaner) }
    const differences = this.#left.map((call) => firstDifference({ method: call.method, args: call.args }, asked))
    const index = differences.indexOf(undefined)
    const call = this.#left[index]
    if (call !== undefined) {
      this.#left.splice(index, 1)
      return call
    }
    // What a run removes at its end went with its session where that was recorded, and there is none here.
    if (isRemoval(method, args)) return { method, args, value: NOTHING_DONE }
    const number = this.#tape.calls.length - this.#left.length + 1
    throw this.#drifted(`call ${number} of the machine`, differences[0] ?? `the run makes another one, ${method}`)
  }

  #drifted(where: string, difference: string): CmdopError {
    return (this.#drift ??= drift(where, difference, this.#file))
  }

  #throwDrift(): void {
    if (this.#drift === undefined) return
    this.#isTold = true
    throw this.#drift
  }
}

const NOTHING_DONE: ExecExit = { exitCode: 0, signal: null, stdoutBytes: 0, stderrBytes: 0, durationMs: 0 }

function isRemoval(method: string, [command]: readonly unknown[]): boolean {
  if (method !== 'exec' || !Array.isArray(command)) return false
  return command.length === 3 && command[0] === 'rm' && String(command[2]).startsWith('/tmp/cmdop-run-')
}

function errorOf({ method, error }: RecordedCall): CmdopError {
  if (error === undefined)
    return new CmdopError('cancelled', `The call of ${method} had not ended when the recording did.`)
  return new CmdopError(error.code, error.message, { details: error.details })
}

function playedExecution(take: () => RecordedCall, begin: string | undefined): Execution {
  const end = Promise.withResolvers<ExecExit>()
  end.promise.catch(() => undefined)
  let call: RecordedCall
  try {
    call = take()
  } catch (error) {
    end.reject(error)
    return executionOf('cassette', piecesOf([], end.promise), end.promise)
  }
  if (call.value === undefined) end.reject(errorOf(call))
  else end.resolve(call.value as ExecExit)
  const mark = begin === undefined || call.mark === undefined ? '' : `${begin}${call.mark}\x07`
  const pieces = [...(call.chunks ?? []), { stream: 'stderr' as const, data: Buffer.from(mark) }]
  return executionOf('cassette', piecesOf(pieces, end.promise), end.promise)
}

async function* piecesOf(
  chunks: readonly Omit<ExecChunk, 'offset'>[],
  exit: Promise<ExecExit>,
): AsyncGenerator<ExecChunk, void, void> {
  let offset = 0
  for (const { stream, data } of chunks) {
    if (data.length > 0) yield { stream, data, offset }
    offset += data.length
  }
  await exit
}
