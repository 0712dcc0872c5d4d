export { type CommandClass, commandClasses } from './classify/command-class.ts'
export { type DangerLevel, dangers } from './classify/danger-level.ts'
export type { PolicyCall } from './decide/call.ts'
export {
  type CompiledPolicy,
  type PolicyLayer,
  type PolicyLayers,
  compilePolicy,
  policyLayers,
} from './decide/compile-policy.ts'
export { type Decided, decide } from './decide/decide.ts'
export { decidesOnItself } from './decide/methods.ts'
export { renderDecision } from './decide/render.ts'
export { type SimulatedCall, type SimulationRow, simulate } from './decide/simulate.ts'
export { type CommandPlace, parseCommand } from './parse/parse-command.ts'
export type {
  Assignment,
  ParsedCommand,
  Redirection,
  RedirectionKind,
  SimpleCommand,
  Word,
  Wrapper,
} from './parse/simple-command.ts'
export {
  CommandPattern,
  MAX_RULES,
  Policy,
  PolicyDecision,
  type PolicyInput,
  PolicyMode,
  PolicyRule,
  PrincipalKind,
  policyModes,
  principalKinds,
} from './rules/rule.ts'
