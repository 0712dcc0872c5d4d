import type { PolicyCall } from './call.ts'
import type { Judged, Ruling } from './decide.ts'

/** What would permit a call that is not allowed, in one sentence. */
export function permittedBy({ decision, rule, layer }: Ruling, call: PolicyCall, judged: Judged): string {
  if (rule === 'floor:own-permission') return 'Nothing: a person has to do it.'
  if (layer === 'floor') return "A person's approval, each time, or the restriction dryRun."
  if (layer !== 'mode' && decision === 'deny') return `Nothing while the rule ${rule} of the ${layer} stands.`
  if (layer !== 'mode') return `A person's approval, which the rule ${rule} of the ${layer} asks for.`
  const allow = allowRule(call, judged)
  if (decision === 'deny') return `An allow rule ${allow}.`
  return `A person's approval, or an allow rule ${allow}.`
}

/** The rule that would do, in words. */
function allowRule({ tool, command }: PolicyCall, { subjects, problem, environment }: Judged): string {
  if (problem !== undefined) return 'for each command in it, once it is written so that it is understood'
  if (environment.class !== 'read') return 'for it, once it is called without these variables'
  const open = subjects.filter((subject) => subject.class !== 'read')
  const names = new Set(
    open.map((subject) => subject.command?.name ?? (subject.command === undefined ? subject.tool : undefined)),
  )
  if (command === undefined || names.size === 0) return `for ${tool}`
  if (names.has(undefined)) return 'for each command in it, once their names and files are known before it runs'
  return `for ${[...names].join(', ')}`
}
