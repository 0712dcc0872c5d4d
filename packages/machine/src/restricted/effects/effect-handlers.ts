import { CmdopError, type EffectDetails, MAX_ANSWER_BYTES } from '@cmdop/protocol'
import { answer } from '../../answer.ts'
import type { Handlers } from '../../call-handler.ts'
import type { Restricted } from '../restricted.ts'

/** Serves the methods of effects, and what this machine can hold. */
export function createEffectHandlers({ effects, sandboxes }: Restricted): Handlers {
  return {
    capabilities: (channel) => answer(channel, () => sandboxes.capabilities()),
    'effect.list': (channel, { limit }) => answer(channel, async () => ({ items: effects.list(limit) })),
    'effect.get': (channel, { effectId }) =>
      answer(channel, async (signal) => fitting(await effects.get(effectId, signal))),
    'effect.apply': (channel, { effectId, hash }, permit) =>
      answer(channel, () => effects.apply(effectId, hash, permit)),
    'effect.discard': (channel, { effectId }, permit) => answer(channel, () => effects.discard(effectId, permit)),
    'effect.undo': (channel, { effectId }, permit) => answer(channel, () => effects.undo(effectId, permit)),
  }
}

/** Without its last entries where it is longer than an answer may be; the hash is over all. */
function fitting(details: EffectDetails): EffectDetails {
  let { list } = details
  while (list !== null && Buffer.byteLength(JSON.stringify({ ...details, list })) > MAX_ANSWER_BYTES) {
    if (list.effects.length === 0) throw new CmdopError('frame_too_large', 'The effect is too large to be shown.')
    list = { ...list, effects: list.effects.slice(0, list.effects.length / 2), truncated: true }
  }
  return { ...details, list }
}
