/** What is not over is left to whoever has the run next; `cause`: why, where that is a fault. */
export class RunLeft extends Error {
  constructor(cause?: unknown) {
    super('The run is left to the relay that has it next.', { cause })
  }
}
