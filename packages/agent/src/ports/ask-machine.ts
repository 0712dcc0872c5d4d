/** Asks the operator that lives on another machine. The relay's client implements it. */
export interface MachineAsker {
  ask(request: {
    /** Id, name or host name of the machine. */
    readonly machine: string
    readonly prompt: string
    readonly signal: AbortSignal
  }): Promise<{ readonly text: string }>
}
