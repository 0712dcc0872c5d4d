export {
  type CapabilityOf,
  type ProbedRestriction,
  type SandboxCapabilities,
  probeCapabilities,
} from './capabilities.ts'
export { type ApplyOptions, applyEffect } from './apply/apply-effect.ts'
export { type JournalBounds, pruneJournals } from './apply/prune-journals.ts'
export { type Recovery, recover } from './apply/recover.ts'
export { undoEffect } from './apply/undo-effect.ts'
export { type EffectOptions, computeEffects } from './effects/compute-effects.ts'
export type { DeferredPlaces } from './effects/deferred.ts'
export type { DiffLimits } from './effects/diff.ts'
export { type Judgement, judge } from './effects/judge.ts'
export type { ListLimits } from './effects/list-effects.ts'
export type { View, ViewLayer } from './view.ts'
export { viewSize } from './view-size.ts'
export { removeTree, sweep } from './remove-tree.ts'
export type { Layer, ProgramLimits } from './host/plan.ts'
export type { Tier } from './restrictions/plan-restrictions.ts'
export {
  type FrozenView,
  type Sandbox,
  type SandboxOptions,
  type SandboxPtyRequest,
  type SandboxRequest,
  openSandbox,
} from './sandbox.ts'
export { seatbeltCommand, seatbeltProfile } from './macos/seatbelt-profile.ts'
export type { SandboxExit, SandboxProcess, SandboxTerminal } from './starter/sandbox-process.ts'
export { WarmHosts } from './starter/warm-hosts.ts'
