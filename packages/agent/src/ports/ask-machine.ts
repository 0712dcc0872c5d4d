/** Asks the operator that lives on another machine. {@link askThrough} makes one of a relay's client. */
export interface MachineAsker {
  ask(request: {
    /** Id, name or host name of the machine. */
    readonly machine: string
    readonly prompt: string
    readonly signal: AbortSignal
  }): Promise<{ readonly text: string }>
}

/** What of a client is needed to ask. */
interface AskingClient {
  readonly machines: {
    ask(machine: string, prompt: string, options: { signal: AbortSignal }): { collect(): Promise<string> }
  }
}

/** Asks through a relay, as its client may: `createAgent({ machine, askMachine: askThrough(client) })`. */
export function askThrough({ machines }: AskingClient): MachineAsker {
  return {
    ask: async ({ machine, prompt, signal }) => ({ text: await machines.ask(machine, prompt, { signal }).collect() }),
  }
}
