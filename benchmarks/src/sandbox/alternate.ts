/** What is timed; it may give back what has to be done after it and is not timed. */
export type Action = () => Promise<void | (() => Promise<unknown>)>

export interface AlternateOptions {
  readonly rounds: number
  /** Of each action in a round. */
  readonly perRound: number
  /** Rounds before those that count. */
  readonly warmUp: number
  /** Before each action, not timed. */
  readonly rest?: () => Promise<unknown>
}

/** Milliseconds of each action, in alternating rounds, so that noise of the machine meets all of them. */
export async function alternate<Name extends string>(
  actions: Readonly<Record<Name, Action>>,
  { rounds, perRound, warmUp, rest }: AlternateOptions,
): Promise<Record<Name, number[]>> {
  const entries = Object.entries(actions) as [Name, Action][]
  const times = Object.fromEntries(entries.map(([name]) => [name, []])) as unknown as Record<Name, number[]>
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const [name, action] of entries) {
      for (let count = 0; count < perRound; count += 1) {
        await rest?.()
        const started = performance.now()
        const after = await action()
        const milliseconds = performance.now() - started
        if (round >= 0) times[name].push(milliseconds)
        await after?.()
      }
    }
  }
  return times
}
