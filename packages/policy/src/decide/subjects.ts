import { classifyCommand } from '../classify/classify.ts'
import { type Verdict, READS, worst } from '../classify/command-class.ts'
import { checkAssignment } from '../classify/assignments.ts'
import { type Danger, NO_DANGER } from '../classify/danger-level.ts'
import { dangerOf } from '../classify/danger.ts'
import { checkRedirection } from '../classify/redirections.ts'
import { parseCommand } from '../parse/parse-command.ts'
import type { SimpleCommand } from '../parse/simple-command.ts'
import { type Named, hostsOf, pathsOf } from '../rules/named.ts'
import { normalPath } from '../rules/paths.ts'
import type { Subject } from '../rules/subject.ts'
import { programName } from '../unwrap/program-name.ts'
import type { PolicyCall } from './call.ts'
import { classifyEnvironment } from './environment.ts'
import { classifyMethod } from './methods.ts'

/** A thing that rules are about, with what is thought of it. */
export interface JudgedSubject extends Subject {
  readonly verdict: Verdict
  readonly danger: Danger
  /** It only runs another, which is a subject of its own. */
  readonly isTransparent: boolean
}

/** What a call is made of. */
export interface Subjects {
  readonly subjects: readonly JudgedSubject[]
  /** Why its command is not understood; undefined: it is, or there is none. */
  readonly problem: string | undefined
  /** Of its variables. */
  readonly environment: Verdict
}

/** Takes a call apart, and looks at each part by itself. */
export function subjectsOf(call: PolicyCall): Subjects {
  const { tool, command, cwd } = call
  const isCommand = (tool === 'exec' || tool === 'session.execute') && command !== undefined
  if (!isCommand) return { subjects: [methodSubject(call)], problem: undefined, environment: READS }
  const { commands, problem } = parseCommand(command, { cwd })
  const subjects = commands.map((parsed) => commandSubject(parsed, call))
  return { subjects, problem, environment: classifyEnvironment(call) }
}

function methodSubject(call: PolicyCall): JudgedSubject {
  const verdict = classifyMethod(call)
  const paths = call.paths?.map((path) => normalPath(path, undefined)) ?? []
  const known = paths.filter((path) => path !== undefined)
  return {
    tool: call.tool,
    principalKind: call.principalKind,
    class: verdict.class,
    verdict,
    danger: verdict.class === 'read' ? NO_DANGER : methodDanger(call, verdict),
    isTransparent: false,
    command: undefined,
    paths: { known, open: known.length < paths.length },
    hosts: { known: call.hosts?.map((host) => host.toLowerCase()) ?? [], open: false },
  }
}

function methodDanger({ tool, paths = [] }: PolicyCall, verdict: Verdict): Danger {
  if (tool !== 'file.delete' && tool !== 'file.move')
    return { level: verdict.class === 'delete' ? 'high' : 'medium', reason: `${tool} ${verdict.reason}.` }
  const words = ['rm', ...paths].map((text) => ({ text, values: [text], start: text, splits: false }))
  const removal = { words, assignments: [], redirections: [], via: [], cwd: undefined, on: [], pipedFrom: undefined }
  return { ...dangerOf(removal, verdict), ...(verdict.class === 'delete' ? {} : { level: 'medium' as const }) }
}

function commandSubject(parsed: SimpleCommand, { tool, principalKind }: PolicyCall): JudgedSubject {
  const verdict = classifyCommand(parsed)
  return {
    tool,
    principalKind,
    class: verdict.class,
    verdict,
    danger: dangerOf(parsed, verdict),
    isTransparent: parsed.wrapper !== undefined && verdict.class === 'read',
    command: new Parts(parsed),
    get paths() {
      return onceOf(this, 'paths', () => pathsOf(parsed))
    },
    get hosts() {
      return onceOf(this, 'hosts', () => hostsOf(parsed))
    },
  }
}

/** Most rules never ask. */
function onceOf(owner: object, name: 'paths' | 'hosts', find: () => Named): Named {
  const value = find()
  Object.defineProperty(owner, name, { value })
  return value
}

/** The parts of a simple command; those that few rules ask about are looked at when one does. */
class Parts {
  readonly parsed: SimpleCommand
  readonly name: string | undefined
  readonly baseName: string | undefined

  constructor(parsed: SimpleCommand) {
    this.parsed = parsed
    this.name = programName(parsed)
    this.baseName = this.name?.slice(this.name.lastIndexOf('/') + 1)
  }

  get around(): Verdict {
    const { assignments, redirections, words } = this.parsed
    return worst([
      ...redirections.map(checkRedirection),
      ...assignments.map((assignment) => checkAssignment(assignment, words.length > 0)),
    ])
  }
}
