import { EffectDetails, EffectInfo, EffectPage, type MethodName } from '@cmdop/protocol'
import { newCallId, parseAnswer, parseJson } from './answers.ts'
import type { Channels } from './channels.ts'
import type { MachineEffects } from './effects.ts'
import { itemsOf, onePage } from './pages.ts'

/** Effects that a machine lists at most. */
const MOST_LISTED = 200

interface Cancellable {
  signal?: AbortSignal | undefined
}

/** The effects of one machine over the relay. */
export class RemoteEffects implements MachineEffects {
  readonly #channels: Channels
  readonly #machineId: string

  constructor(channels: Channels, machineId: string) {
    this.#channels = channels
    this.#machineId = machineId
  }

  async list(options: Cancellable & { limit?: number } = {}): Promise<readonly EffectInfo[]> {
    return (await this.#page(options)).items
  }

  iter(options: Cancellable & { limit?: number } = {}): AsyncGenerator<EffectInfo> {
    return itemsOf(this.pages(options), ({ effectId }) => effectId, options)
  }

  pages(options: Cancellable & { limit?: number } = {}): AsyncGenerator<EffectPage> {
    return onePage(() => this.#page({ limit: MOST_LISTED, ...options }))
  }

  async get(effectId: string, { signal }: Cancellable = {}): Promise<EffectDetails> {
    return parseAnswer(EffectDetails, await this.#ask('effect.get', { effectId }, signal))
  }

  async apply(effectId: string, effectHash: string, { signal }: Cancellable = {}): Promise<EffectInfo> {
    return parseAnswer(EffectInfo, await this.#ask('effect.apply', { effectId, hash: effectHash }, signal))
  }

  async discard(effectId: string, { signal }: Cancellable = {}): Promise<EffectInfo> {
    return parseAnswer(EffectInfo, await this.#ask('effect.discard', { effectId }, signal))
  }

  async undo(effectId: string, { signal }: Cancellable = {}): Promise<EffectInfo> {
    return parseAnswer(EffectInfo, await this.#ask('effect.undo', { effectId }, signal))
  }

  async #page({ signal, ...params }: Cancellable & { limit?: number }): Promise<EffectPage> {
    return parseAnswer(EffectPage, await this.#ask('effect.list', params, signal))
  }

  async #ask(method: MethodName, params: Record<string, unknown>, signal: AbortSignal | undefined): Promise<unknown> {
    const call = { method, target: this.#machineId, params, callId: newCallId(), signal }
    // A large effect takes its time to be computed or applied.
    const { data } = await this.#channels.ask({ ...call, takesTime: true })
    return parseJson(data)
  }
}
