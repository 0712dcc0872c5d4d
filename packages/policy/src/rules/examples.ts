import { CmdopError, isMethodName } from '@cmdop/protocol'
import { subjectsOf } from '../decide/subjects.ts'
import type { PolicyCall } from '../decide/call.ts'
import type { CompiledRule } from './compile-rule.ts'
import type { PolicyRule } from './rule.ts'

/** Runs what a rule says of itself. Throws `validation` where the rule does otherwise. */
export function checkExamples(compiled: CompiledRule, layer: string): void {
  const { rule } = compiled
  for (const example of rule.match)
    if (!fitsExample(compiled, example)) refuse({ rule, layer, example, expected: 'to match' })
  for (const example of rule.notMatch)
    if (fitsExample(compiled, example)) refuse({ rule, layer, example, expected: 'not to match' })
}

function fitsExample({ rule, fits }: CompiledRule, example: string): boolean {
  const { subjects, problem } = subjectsOf(callOf(rule, example))
  if (rule.decision !== 'allow') return subjects.some(fits)
  return (
    problem === undefined &&
    subjects.some(fits) &&
    subjects.every((subject) => fits(subject) || subject.class === 'read')
  )
}

/** An example is for the first of those whom the rule is about. */
function callOf({ who, tool }: PolicyRule, example: string): PolicyCall {
  const principalKind = who?.[0] ?? 'ai'
  const [name = '', ...others] = example.split(' ')
  if (name.includes('.') && isMethodName(name))
    return { tool: name, principalKind, paths: others.filter((path) => path.startsWith('/')) }
  const isForSessions = tool === 'session.execute'
  return { tool: isForSessions ? 'session.execute' : 'exec', principalKind, command: example, cwd: '/' }
}

function refuse({
  rule,
  layer,
  example,
  expected,
}: {
  rule: PolicyRule
  layer: string
  example: string
  expected: string
}): never {
  throw new CmdopError(
    'validation',
    `Expected the rule ${rule.id} of the ${layer} ${expected} its example "${example}", but it does otherwise. Correct the rule or the example.`,
    { details: { rule: rule.id, layer, example, expected } },
  )
}
