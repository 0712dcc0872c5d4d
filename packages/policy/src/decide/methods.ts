import { type MethodName, isMethodName } from '@cmdop/protocol'
import { type Verdict, READS, changes, deletes, unclear } from '../classify/command-class.ts'
import type { PolicyCall } from './call.ts'

const interactive = changes('is for typing, and what is typed is not known')

/** What each method does that is no command. */
const verdicts: Readonly<Record<Exclude<MethodName, 'exec' | 'session.execute'>, Verdict>> = {
  'exec.attach': READS,
  'exec.result': READS,
  'action.describe': READS,
  facts: READS,
  capabilities: READS,
  'effect.list': READS,
  'effect.get': READS,
  'effect.apply': deletes('applies what a command changed, deletions too'),
  'effect.discard': deletes('throws away what a command changed'),
  'effect.undo': deletes('takes back what a command changed'),
  'file.read': READS,
  'file.list': READS,
  'file.stat': READS,
  'file.tree': READS,
  'file.search': READS,
  'file.write': changes('writes a file'),
  'file.mkdir': changes('makes a directory'),
  'file.symlink': changes('makes a link'),
  'file.change': changes('changes who may do what with a file'),
  'file.copy': changes('writes files'),
  'file.move': deletes('may replace what is there'),
  'file.delete': deletes('deletes files'),
  'skill.list': READS,
  'skill.get': READS,
  'skill.install': changes('installs what others wrote'),
  'skill.uninstall': deletes('removes a skill'),
  'session.open': interactive,
  'session.attach': interactive,
  'session.list': READS,
  'session.get': READS,
  'session.read': READS,
  'session.observe': READS,
  'tunnel.connect': changes('reaches a service, and what is said to it is not known'),
  // Only the connection that was decided about goes on.
  'tunnel.attach': READS,
  // Nobody is asked before something is stopped, or before a person answers.
  'session.close': READS,
  // Each of its calls is decided about.
  ask: READS,
  'ask.attach': READS,
  'ask.cancel': READS,
  'ask.confirm': READS,
  'ask.pin': READS,
  'ask.messages': READS,
  'ask.clear': deletes('removes a conversation'),
  'ask.session': READS,
  'ask.spend': READS,
}

/** What a call does that is no command. */
export function classifyMethod({ tool, overwrite, passive }: PolicyCall): Verdict {
  if (!isMethodName(tool)) return unclear('is a tool that is not known')
  if (tool === 'exec' || tool === 'session.execute') return unclear('is given no command')
  if (tool === 'session.open' && passive === true) return READS
  if (tool === 'file.move' && overwrite === false) return changes('moves a file')
  if (tool === 'file.symlink' && overwrite === true) return deletes('replaces what is there by a link')
  return verdicts[tool]
}

/** What an AI operator never does, whatever the rules say: decide what it may do, and what becomes of what it was kept from. */
export function decidesOnItself(tool: string): boolean {
  const [group = '', action = ''] = tool.split('.', 2)
  if (/^(?:approvals?|polic(?:y|ies)|rules?|grants?)$/.test(group))
    return !/^(?:list|get|read|test|simulate|show|wait|request)$/.test(action)
  return ['effect.apply', 'effect.discard', 'effect.undo', 'ask.confirm', 'ask.pin'].includes(tool)
}
