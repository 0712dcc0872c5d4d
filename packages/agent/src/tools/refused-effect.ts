import { EffectSummary, isCmdopError } from '@cmdop/protocol'
import type { Fence } from '../run/fence.ts'

/** What a call did and was not let do: it ran, and nothing of its changes was applied. */
export interface RefusedEffect {
  readonly code: string
  readonly message: string
  /** With which a person can look at it, and apply it. */
  readonly effectId: string
  readonly paths: readonly string[]
  readonly pathCount: number
}

/** What an error says of an effect that was not applied; undefined: it is of something else. */
export function refusedEffectOf(error: unknown): RefusedEffect | undefined {
  if (!isCmdopError(error)) return undefined
  const { effect, effectId, paths, pathCount } = error.details
  const summary = EffectSummary.safeParse(effect).data
  if (summary?.refusal !== undefined) return { ...summary.refusal, effectId: summary.effectId }
  if (typeof effectId !== 'string' || !Array.isArray(paths)) return undefined
  const { code, message } = error
  return { code, message, effectId, paths: paths.map(String), pathCount: Number(pathCount ?? paths.length) }
}

/** The same for the model: paths are names that anybody may have given, so they are data. */
export function refusedText({ code, ...refused }: RefusedEffect, fence: Fence): string {
  const lines = [
    `${code}: nothing of what this call changed was applied. Only a person can apply it: say so in your answer, and do not try`,
    'to get the same done in another way.',
  ]
  return [lines.join(' '), fence.enclose('refusal', JSON.stringify(refused))].join('\n')
}
