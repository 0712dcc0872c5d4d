import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { Machine } from '@cmdop/core'
import { player } from './player.ts'
import { recorder } from './recorder.ts'

/** A run on tape: its model, and if you want its machine too. */
export interface Cassette extends Disposable {
  readonly model: LanguageModelV4
  /**
   * The machine with its commands, files and facts on tape. While it records, the given one is worked on. Replayed, it has the
   * name, host name and id that were recorded, and nothing is run, read or written: no machine is needed, and one that is given
   * is left alone, unless `commands` is `real`. Call it once for each machine, in the same order as when it was recorded.
   */
  machine(machine?: Machine): Machine
}

/** How a cassette is replayed. */
export interface ReplayCassette {
  readonly replay: true
  /** `real`: commands, files and facts are those of the machine that is given, under the recorded name. Default `recorded`. */
  readonly commands?: 'recorded' | 'real' | undefined
}

/**
 * Records a run with a real model once, and replays it without one, anywhere. While it records, `record` is called, and the
 * file is written when the cassette is disposed; while it replays, no model is needed. A run that asks for something else than
 * was recorded fails with `conflict` and the first difference; for one that ends early, disposing throws it.
 *
 * The file has prompts, answers and output in it. Cut out of all of them are what each run's own redactor knows by the end of the
 * run: values of `Secret`, of variables whose names look like a secret's, and those assigned to such a name in output, in the
 * encodings that it knows. Any other secret, such as one that stands in a prompt, is in the file: look at it before you commit it.
 *
 * Not on tape are your own `tools`, MCP servers and other agents, which are called again, and commands that are awaited instead of
 * iterated. A run with restrictions cannot be recorded: `unsupported`.
 */
export function cassette(file: string, options: { record: LanguageModelV4 } | ReplayCassette): Cassette {
  return 'record' in options ? recorder(file, options.record) : player(file, options.commands ?? 'recorded')
}
