import { parseArgs } from 'node:util'
import { isCmdopError } from 'cmdop'

/** Prints a line about what happens. */
export type Say = (line: string) => void

/** What a story is told when it begins. */
export interface Story {
  readonly say: Say
  /** Aborts on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal
}

/**
 * `--fault <name>` chooses what is broken, `--seed <number>` one of them and its details, `--ask` has the person at this terminal
 * decide. Throws for a fault that there is not.
 */
export function storyArguments<Fault extends string>(faults: readonly Fault[]) {
  const { values } = parseArgs({
    options: {
      fault: { type: 'string' },
      seed: { type: 'string', default: '1' },
      ask: { type: 'boolean', default: false },
    },
  })
  const seed = Number(values.seed)
  const fault = values.fault === undefined ? seeded(seed).of(faults) : faults.find((name) => name === values.fault)
  if (fault === undefined) throw new Error(`Expected --fault to be one of ${faults.join(', ')}, got ${values.fault}.`)
  return { fault, seed, ask: values.ask }
}

/** Runs a story to its end. Ctrl-C stops it: what it has started is ended by its own scopes, and the exit code is 130. */
export async function runStory(tell: (story: Story) => Promise<void>): Promise<void> {
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort())
  const say = (line: string) => void process.stdout.write(`${line}\n`)
  try {
    await tell({ say, signal: stop.signal })
  } catch (error) {
    const said = isCmdopError(error) ? `${error.code}: ${error.message}` : String(error)
    process.stderr.write(stop.signal.aborted ? 'Stopped; nothing is left running.\n' : `${said}\n`)
    process.exitCode = stop.signal.aborted ? 130 : 1
  }
}

/** The same choices for the same seed. */
export function seeded(seed: number) {
  let state = seed >>> 0
  // Mulberry32.
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1))
  return {
    /** A whole number, both ends included. */
    between,
    /** One of these. */
    of: <Value>(values: readonly Value[]): Value => values[between(0, values.length - 1)] as Value,
  }
}
