import { KeptOutput } from './kept-output.ts'

/** Bytes kept of each output of a call. */
const outputBytes = 262_144

/** Bytes kept of all outputs of a run; beyond it the oldest go. */
const shelfBytes = 1_048_576

/** The outputs of a run that the model may ask for again, by the label of their call. Bounded: the oldest go first. */
export interface OutputShelf {
  /** A place for an output. What is added to it has been redacted. */
  place(call: string, name: string): KeptOutput
  get(call: string, name: string): KeptOutput | undefined
  /** The names of the outputs of a call. */
  names(call: string): readonly string[]
}

/** An empty shelf. */
export function createOutputShelf(): OutputShelf {
  const outputs = new Map<string, { call: string; name: string; kept: KeptOutput }>()
  const makeRoom = (): void => {
    let bytes = 0
    for (const { kept } of outputs.values()) bytes += kept.bytes
    for (const [key, { kept }] of outputs) {
      if (bytes <= shelfBytes) return
      bytes -= kept.bytes
      outputs.delete(key)
    }
  }
  const keyOf = (call: string, name: string): string => `${call} ${name}`
  return {
    place: (call, name) => {
      makeRoom()
      const kept = new KeptOutput(outputBytes)
      outputs.set(keyOf(call, name), { call, name, kept })
      return kept
    },
    get: (call, name) => outputs.get(keyOf(call, name))?.kept,
    names: (call) => [...outputs.values()].filter((each) => each.call === call).map((each) => each.name),
  }
}
