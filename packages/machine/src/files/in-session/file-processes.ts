import { CmdopError } from '@cmdop/protocol'
import type { FilePlace } from '../../restricted/file-places.ts'
import { FileProcess } from './file-process.ts'

type View = Extract<FilePlace, { kind: 'sandbox' }>

/** The processes that serve files in views: one for each that lasts, from its first call on; one for each call elsewhere. */
export class FileProcesses {
  readonly #lasting = new Map<string, Promise<FileProcess>>()
  #isClosed = false

  /** Gives `work` the process of this view. */
  async use<Result>(view: View, work: (process: FileProcess) => Promise<Result>): Promise<Result> {
    if (view.lasting) return work(await this.#lastingOf(view))
    const process = await FileProcess.start((request) => view.spawn(request))
    try {
      return await work(process)
    } finally {
      // All that the call did is on the disk by its end.
      await process.kill()
    }
  }

  /** Ends the process of a view, if it has one; nothing half-written stays there. */
  async leave(viewId: string): Promise<void> {
    const process = await this.#lasting.get(viewId)?.catch(() => undefined)
    await process?.[Symbol.asyncDispose]()
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(Array.from(this.#lasting.keys(), (viewId) => this.leave(viewId)))
  }

  async #lastingOf(view: View): Promise<FileProcess> {
    const starting = this.#lasting.get(view.id) ?? this.#start(view)
    const process = await starting
    if (!process.isOver) return process
    this.#forget(view.id, starting)
    return this.#lastingOf(view)
  }

  #start(view: View): Promise<FileProcess> {
    if (this.#isClosed)
      return Promise.reject(new CmdopError('unavailable', 'The daemon of the machine is stopping; nothing was done.'))
    const starting = FileProcess.start((request) => view.spawn(request))
    this.#lasting.set(view.id, starting)
    const forget = () => this.#forget(view.id, starting)
    starting.then((process) => process.over.then(forget), forget)
    return starting
  }

  #forget(viewId: string, process: Promise<FileProcess>): void {
    if (this.#lasting.get(viewId) === process) this.#lasting.delete(viewId)
  }
}
