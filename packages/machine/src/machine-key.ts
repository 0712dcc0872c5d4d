import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { type MachineState, MachineState as StateSchema, machineStateFile } from './machine-state.ts'

/** The key that this machine signs with: another one as soon as it was rotated, while the daemon runs. */
export class MachineKey {
  readonly #file: string
  #key: KeyObject
  #readAt: number | undefined

  constructor(folder: string, state: MachineState) {
    this.#file = machineStateFile(folder)
    this.#key = createPrivateKey(state.privateKey)
    this.#readAt = this.#changedAt()
  }

  /** As the file has it; the last one known where it cannot be read. */
  current(): KeyObject {
    const changedAt = this.#changedAt()
    if (changedAt !== undefined && changedAt !== this.#readAt) this.#read(changedAt)
    return this.#key
  }

  #read(changedAt: number): void {
    const state = StateSchema.safeParse(parse(this.#file))
    if (!state.success) return
    this.#key = createPrivateKey(state.data.privateKey)
    this.#readAt = changedAt
  }

  #changedAt(): number | undefined {
    return statSync(this.#file, { throwIfNoEntry: false })?.mtimeMs
  }
}

function parse(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}
