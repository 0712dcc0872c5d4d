import type { KeyScope } from '@cmdop/protocol'
import type { PrincipalKind, Role } from '../store/store.ts'
import { type MachineTarget, scopesAllow } from './scopes.ts'

/** Everything anybody can do, by name. */
export const actions = [
  'machine.list',
  'machine.facts',
  'machine.exec',
  'machine.ask',
  'machine.enroll',
  'session.observe',
  'session.operate',
  'effect.read',
  'effect.apply',
  'file.read',
  'file.write',
  'file.delete',
  'tunnel.read',
  'tunnel.open',
  'tunnel.connect',
  'recording.read',
  'run.write',
  'run.read',
  'skill.read',
  'skill.run',
  'skill.review',
  'skill.install',
  'skill.publish',
  'schedule.read',
  'schedule.write',
  'schedule.run',
  'key.list',
  'key.issue',
  'key.revoke',
  'key.own',
  'machine.manage',
  'member.list',
  'member.manage',
  'fleet.configure',
  'fleet.create',
  'fleet.disable',
  'policy.read',
  'policy.write',
  'approval.request',
  'approval.read',
  'approval.decide',
  'grant.revoke',
  'audit.read',
  'metrics.read',
] as const
export type Action = (typeof actions)[number]

/** Who may do what; what is not in a list is denied. `docs/permissions.md` prints it, and a test walks it. */
export const matrix: Readonly<Record<Role, readonly Action[]>> = {
  owner: actions,
  admin: actions.filter((action) => action !== 'fleet.disable'),
  member: [
    'machine.list',
    'machine.facts',
    'machine.exec',
    'machine.ask',
    'session.observe',
    'session.operate',
    'effect.read',
    'effect.apply',
    'file.read',
    'file.write',
    'file.delete',
    'tunnel.read',
    'tunnel.open',
    'tunnel.connect',
    'recording.read',
    'run.write',
    'run.read',
    'skill.read',
    'skill.run',
    'skill.review',
    'skill.install',
    'skill.publish',
    'schedule.read',
    'schedule.write',
    'schedule.run',
    'key.own',
    'member.list',
    'policy.read',
    'approval.request',
    'approval.read',
    'approval.decide',
    'metrics.read',
  ],
  viewer: [
    'machine.list',
    'machine.facts',
    'session.observe',
    'skill.read',
    'key.own',
    'policy.read',
    'approval.read',
    'metrics.read',
  ],
}

const noTunnels = 'An AI operator opens no tunnels and goes through none: nobody sees what it says there. Ask a person.'

const onlyPeople = 'Only a person decides about an approval: a key of kind human. Ask one.'

const ownKeys = 'Only a person has keys of its own to look after. Ask the person you act for.'

/** Whoever lets people in, or sets how they decide, could decide in their place. */
const notForPrograms = {
  'key.own': ownKeys,
  'approval.decide': onlyPeople,
  'member.manage': 'Only a person lets people in and changes what they are: a key of kind human. Ask one.',
  'fleet.configure': 'Only a person changes the settings of the fleet: a key of kind human. Ask one.',
  'fleet.create': 'Only a person makes a fleet: a key of kind human. Ask one.',
  'fleet.disable': 'Only a person disables a fleet: a key of kind human. Ask one.',
}

/** What a kind of principal may never do, whatever its role, and why. `docs/permissions.md` says it. */
export const never: Readonly<Partial<Record<PrincipalKind, Readonly<Partial<Record<Action, string>>>>>> = {
  ai: {
    'effect.apply':
      'An AI operator may not apply, discard or undo an effect: it would loosen its own restriction. Ask a person to look at it and decide.',
    'key.own': ownKeys,
    'approval.decide': onlyPeople,
    'tunnel.open': noTunnels,
    'tunnel.connect': noTunnels,
    'grant.revoke': 'An AI operator does not touch what people have granted. Ask a person.',
    'policy.write': 'An AI operator may not change the policy that binds it. Ask a person.',
    'skill.install':
      'An AI operator may not install or remove a skill: what others wrote would run on the machine. Ask a person.',
    'skill.publish': 'An AI operator may not publish or change a skill: others would run it. Ask a person.',
    'skill.review': 'An AI operator may not star or review a skill: other fleets read it. Ask a person.',
    'member.manage': 'An AI operator may not change who belongs to the fleet. Ask a person.',
    'fleet.configure': 'An AI operator may not change the settings of the fleet. Ask a person.',
    'fleet.create': 'An AI operator may not make a fleet. Ask a person.',
    'fleet.disable': 'An AI operator may not disable a fleet. Ask a person.',
    'schedule.write':
      'An AI operator may not make or change a schedule: it would act later, when nobody looks. Ask a person.',
    'schedule.run':
      'An AI operator may not run a schedule or cancel its runs: it would act with the rights of who wrote it. Ask a person.',
  },
  service: notForPrograms,
  schedule: notForPrograms,
  machine: notForPrograms,
  system: notForPrograms,
}

/** Who acts, as far as the decision goes. */
export interface Actor {
  readonly principalId: string
  readonly fleetId: string
  /** The least of the roles of the key, of its principal, and of everybody it acts for. */
  readonly role: Role
  readonly kind: PrincipalKind
  /** What its key, and the keys that one came from, are limited to: every list must have a scope that allows it. */
  readonly scopes: readonly (readonly KeyScope[])[]
}

/** What is acted on: anything that belongs to a fleet. */
export interface Target {
  readonly fleetId: string
  /** The machine it is about; `any` where the result is kept to machines in scope. Without one it is about the whole fleet. */
  readonly machine?: MachineTarget | 'any' | undefined
}

/** `not_found` hides an object of another fleet: a caller cannot tell it from one that does not exist. */
export type Decision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly code: 'permission' | 'not_found'; readonly reason: string }

/** The one decision, for people and AI alike: of the role, of the kind of principal, and of the key's scopes. Deny by default. */
export function authorise(actor: Actor, action: Action, target: Target | undefined): Decision {
  if (target === undefined || target.fleetId !== actor.fleetId) {
    return { allowed: false, code: 'not_found', reason: 'There is nothing with this id in your fleet.' }
  }
  const reason = refusalOf(actor, action, target.machine)
  return reason === undefined ? { allowed: true } : { allowed: false, code: 'permission', reason }
}

function refusalOf({ role, kind, scopes }: Actor, action: Action, machine: Target['machine']): string | undefined {
  if (!matrix[role].includes(action))
    return `The role ${role} may not ${action}; ask an owner or admin of the fleet for a key that may.`
  const forKind = never[kind]?.[action]
  if (forKind !== undefined || scopesAllow(scopes, action, machine)) return forKind
  const where = machine === undefined ? ' in all of the fleet' : machine === 'any' ? '' : ` on ${machine.name}`
  return `The scopes of your key do not allow ${action}${where}; ask an owner or admin of the fleet for a key that may.`
}
