import { createRedactor, type Redactor } from './redactor.ts'

/** Somebody who keeps what runs with an object of theirs see, and must keep none of the secrets. */
export interface RedactorListener {
  /** Cut out of what these runs see, too. */
  readonly secrets: readonly string[]
  /** Called with the redactor of each of these runs, before anything of it is seen. */
  readonly onRedactor: (redactor: Redactor) => void
}

/** By the model or the machine of theirs. */
const listeners = new WeakMap<object, RedactorListener>()

/** Tells a listener the redactor of every run with this model, or on this machine. */
export function listenForRedactors(object: object, listener: RedactorListener): void {
  listeners.set(object, listener)
}

/** The redactor of a run with these objects. */
export function runRedactor(secrets: readonly string[], objects: readonly object[]): Redactor {
  const redactor = createRedactor([...secrets, ...listening(objects).flatMap((listener) => listener.secrets)])
  announceRedactor(redactor, objects)
  return redactor
}

/** Tells the redactor of calls that work with these objects. */
export function announceRedactor(redactor: Redactor, objects: readonly object[]): void {
  for (const { onRedactor } of listening(objects)) onRedactor(redactor)
}

function listening(objects: readonly object[]): RedactorListener[] {
  return objects.flatMap((object) => listeners.get(object) ?? [])
}
