import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { MachineCapabilities, Restrictions } from '@cmdop/protocol'
import { openSandbox, probeCapabilities, type Sandbox, type SandboxCapabilities, WarmHosts } from '@cmdop/sandbox'

/** Where commands work. */
export interface PlaceOfWork {
  /** Where they start. */
  readonly cwd: string
  /** A folder of the machine that they write to whatever the restrictions are. */
  readonly shared?: string | undefined
}

/** Opens the sandboxes of this machine. One host is kept ready, from the first that is asked for on. */
export class Sandboxes implements AsyncDisposable {
  /** Of the state folders. */
  readonly states: string
  readonly #folder: string
  readonly #hidden: readonly string[]
  readonly #closing = new Set<Promise<void>>()
  #warm: WarmHosts | undefined
  #probing: Promise<SandboxCapabilities> | undefined

  /** `folder` is for the state of the sandboxes; nothing in one sees it, or what is `hidden` and there when it is opened. */
  constructor(folder: string, hidden: readonly string[]) {
    this.#folder = folder
    this.#hidden = hidden
    this.states = join(folder, 'views')
  }

  /** Rejects with `restriction_unenforceable` where this machine cannot hold them; nothing ran then. */
  async open(restrictions: Restrictions, { id, cwd, shared }: PlaceOfWork & { id: string }): Promise<Sandbox> {
    // What has a view is the common case, and has no network but where that is asked for.
    this.#warm ??= new WarmHosts({ privilege: process.getuid?.() === 0 ? 'root' : 'user', network: 'none' })
    // What is hidden is a place on the disk, whatever it is called, and may have come since the last time.
    const hidden = this.#hidden.filter((path) => existsSync(path)).map((path) => realpathSync(path))
    const options = { folder: this.states, hidden: [...new Set(hidden)], id, cwd, warm: this.#warm }
    return openSandbox(restrictions, { ...options, ...(shared !== undefined && { shared }) })
  }

  /** Closes one; nobody has to wait for the end of its host. Never rejects. */
  close(sandbox: Pick<Sandbox, 'close'>): Promise<void> {
    const closed = sandbox
      .close()
      .catch(() => {})
      .finally(() => this.#closing.delete(closed))
    this.#closing.add(closed)
    return closed
  }

  /** What this machine can hold, found out by doing it, once for all who ask meanwhile. */
  async capabilities(): Promise<MachineCapabilities> {
    this.#probing ??= probeCapabilities(this.#folder).finally(() => (this.#probing = undefined))
    const { restrictions, hints, ...rest } = await this.#probing
    const entries = Object.entries(restrictions).map(([name, { limits, ...one }]) => [
      name,
      { ...one, limits: [...limits] },
    ])
    return { ...rest, restrictions: Object.fromEntries(entries), hints: [...hints] }
  }

  /** Resolves when a host is ready; for measurements. */
  async ready(): Promise<void> {
    await this.#warm?.ready()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It works in files of ours, which may be removed next.
    await this.#probing?.catch(() => {})
    await Promise.all(this.#closing)
    await this.#warm?.[Symbol.asyncDispose]()
  }
}
