import { z } from 'zod'
import { ActionDescribeParams } from './action.ts'
import {
  AskAttachParams,
  AskCancelParams,
  AskClearParams,
  AskConfirmParams,
  AskMessagesParams,
  AskParams,
  AskPinParams,
  AskSessionParams,
  AskSpendParams,
} from './ask.ts'
import {
  CapabilitiesParams,
  EffectApplyParams,
  EffectChangeParams,
  EffectGetParams,
  EffectListParams,
} from './effects.ts'
import { ExecAttachParams, ExecParams, ExecResultParams } from './exec.ts'
import {
  FileChangeParams,
  FileDeleteParams,
  FileListParams,
  FileMkdirParams,
  FileReadParams,
  FileSearchParams,
  FileStatParams,
  FileSymlinkParams,
  FileTransferParams,
  FileTreeParams,
  FileWriteParams,
} from './files.ts'
import {
  SessionAttachParams,
  SessionCloseParams,
  SessionExecuteParams,
  SessionGetParams,
  SessionListParams,
  SessionObserveParams,
  SessionOpenParams,
  SessionReadParams,
} from './sessions.ts'
import { SkillGetParams, SkillInstallParams, SkillListParams, SkillUninstallParams } from './skills.ts'
import { TunnelAttachParams, TunnelConnectParams } from './tunnels.ts'

/** The lane on which a method with one answer sends it. */
export const ANSWER_LANE = 1

/** Parameters of `facts`: none. The answer is a {@link Facts} as JSON on lane 1. */
export const FactsParams = z.strictObject({})

/**
 * What a client can ask of a machine: the schema of its parameters, and the action that it needs the right to.
 * `repeatable` = sending it again cannot act twice (a call id makes `exec` so, see `exec.attach`).
 * `input` = whether the client sends content; where not, relay and machine refuse it with `permission`.
 */
export const methods = {
  exec: { params: ExecParams, action: 'machine.exec', repeatable: false, input: true },
  'exec.attach': { params: ExecAttachParams, action: 'machine.exec', repeatable: true, input: true },
  'exec.result': { params: ExecResultParams, action: 'machine.exec', repeatable: true, input: false },
  facts: { params: FactsParams, action: 'machine.facts', repeatable: true, input: false },
  capabilities: { params: CapabilitiesParams, action: 'machine.facts', repeatable: true, input: false },
  'effect.list': { params: EffectListParams, action: 'effect.read', repeatable: true, input: false },
  'effect.get': { params: EffectGetParams, action: 'effect.read', repeatable: true, input: false },
  'effect.apply': { params: EffectApplyParams, action: 'effect.apply', repeatable: false, input: false },
  'effect.discard': { params: EffectChangeParams, action: 'effect.apply', repeatable: true, input: false },
  'effect.undo': { params: EffectChangeParams, action: 'effect.apply', repeatable: false, input: false },
  'file.read': { params: FileReadParams, action: 'file.read', repeatable: true, input: false },
  'file.list': { params: FileListParams, action: 'file.read', repeatable: true, input: false },
  'file.stat': { params: FileStatParams, action: 'file.read', repeatable: true, input: false },
  'file.tree': { params: FileTreeParams, action: 'file.read', repeatable: true, input: false },
  'file.search': { params: FileSearchParams, action: 'file.read', repeatable: true, input: false },
  'file.write': { params: FileWriteParams, action: 'file.write', repeatable: true, input: true },
  'file.mkdir': { params: FileMkdirParams, action: 'file.write', repeatable: false, input: false },
  'file.symlink': { params: FileSymlinkParams, action: 'file.write', repeatable: false, input: false },
  'file.change': { params: FileChangeParams, action: 'file.write', repeatable: true, input: false },
  'file.copy': { params: FileTransferParams, action: 'file.write', repeatable: false, input: false },
  'file.move': { params: FileTransferParams, action: 'file.write', repeatable: false, input: false },
  'file.delete': { params: FileDeleteParams, action: 'file.delete', repeatable: false, input: false },
  'session.open': { params: SessionOpenParams, action: 'session.operate', repeatable: true, input: false },
  'session.list': { params: SessionListParams, action: 'session.observe', repeatable: true, input: false },
  'session.get': { params: SessionGetParams, action: 'session.observe', repeatable: true, input: false },
  'session.read': { params: SessionReadParams, action: 'session.observe', repeatable: true, input: false },
  'session.attach': { params: SessionAttachParams, action: 'session.operate', repeatable: true, input: true },
  'session.observe': { params: SessionObserveParams, action: 'session.observe', repeatable: true, input: false },
  'session.execute': { params: SessionExecuteParams, action: 'session.operate', repeatable: false, input: false },
  'session.close': { params: SessionCloseParams, action: 'session.operate', repeatable: true, input: false },
  'skill.list': { params: SkillListParams, action: 'skill.read', repeatable: true, input: false },
  'skill.get': { params: SkillGetParams, action: 'skill.read', repeatable: true, input: false },
  'skill.install': { params: SkillInstallParams, action: 'skill.install', repeatable: true, input: true },
  'skill.uninstall': { params: SkillUninstallParams, action: 'skill.install', repeatable: true, input: false },
  'tunnel.connect': { params: TunnelConnectParams, action: 'tunnel.connect', repeatable: false, input: true },
  'tunnel.attach': { params: TunnelAttachParams, action: 'tunnel.connect', repeatable: true, input: true },
  'action.describe': { params: ActionDescribeParams, action: 'approval.request', repeatable: true, input: false },
  ask: { params: AskParams, action: 'machine.ask', repeatable: false, input: true },
  'ask.attach': { params: AskAttachParams, action: 'machine.ask', repeatable: true, input: true },
  'ask.cancel': { params: AskCancelParams, action: 'machine.ask', repeatable: true, input: false },
  'ask.confirm': { params: AskConfirmParams, action: 'machine.ask', repeatable: false, input: false },
  'ask.pin': { params: AskPinParams, action: 'machine.ask', repeatable: false, input: true },
  'ask.messages': { params: AskMessagesParams, action: 'machine.ask', repeatable: true, input: false },
  'ask.clear': { params: AskClearParams, action: 'machine.ask', repeatable: true, input: false },
  'ask.session': { params: AskSessionParams, action: 'machine.ask', repeatable: true, input: false },
  'ask.spend': { params: AskSpendParams, action: 'machine.ask', repeatable: true, input: false },
} as const

export type MethodName = keyof typeof methods

/** Methods that a client reaches over REST only; an operator on a machine asks for no permit for them. */
export function isRestMethod(method: string): boolean {
  return method === 'ask' || method.startsWith('ask.') || method === 'action.describe'
}

/** Methods whose permit may hold them to restrictions: what they do is done in a session, or a sandbox of its own. */
export function restrictable(method: string): boolean {
  return method === 'exec' || method === 'session.open' || method.startsWith('file.')
}

export function isMethodName(value: string): value is MethodName {
  return Object.hasOwn(methods, value)
}
