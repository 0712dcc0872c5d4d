import type { Restrictions } from '@cmdop/protocol'
import { type HostPlan, SHARED_FOLDER } from '../host/plan.ts'
import type { HostKind } from '../starter/host-process.ts'
import { type Situation, changeableRoots } from './situation.ts'
import { unenforceable } from './unenforceable.ts'

/**
 * How restrictions are held: by namespaces and what is mounted in them, or without namespaces, by those of Landlock, a filter of
 * system calls and fewer rights that they need.
 */
export type Tier = 'namespaces' | 'landlock'

/** What is started for restrictions, all but the state folder. */
export interface SandboxPlan {
  readonly tier: Tier
  readonly kind: HostKind
  readonly host: Omit<HostPlan, 'state'>
  /** Changes are kept, to be shown and applied. */
  readonly isTransaction: boolean
  /** Where commands have the directory that is shared; undefined where there is none for them. */
  readonly shared: string | undefined
  /** What of the machine stays within reach, in words for a person. */
  readonly holes: readonly string[]
}

/** Of a root daemon's commands, as containers have them, without those that reach around the view. See capabilities(7). */
export const ROOT_CAPABILITIES: readonly number[] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31]

const NET_RAW = 13

const SCRATCH = ['/tmp', '/var/tmp']

/** Devices that commands write to although nothing is writable. */
const DEVICES = [
  '/dev/null',
  '/dev/zero',
  '/dev/full',
  '/dev/random',
  '/dev/urandom',
  '/dev/tty',
  '/dev/ptmx',
  '/dev/pts',
]

/** The intersection of all restrictions as one plan. Throws `restriction_unenforceable` for what no host could hold. */
export function planRestrictions(restrictions: Restrictions, situation: Situation, tier: Tier): SandboxPlan {
  refuseImpossible(restrictions, situation)
  return tier === 'namespaces' ? planNamespaces(restrictions, situation) : planLandlock(restrictions, situation)
}

/** The first of the restrictions that needs more than Landlock; it is named when namespaces are missing. */
export function needsNamespaces(restrictions: Restrictions): string | undefined {
  return (['dryRun', 'noDelete', 'noOverwrite'] as const).find((name) => restrictions[name] === true)
}

/** The restriction that is named when the host of a plan is refused. */
export function mainRestriction(restrictions: Restrictions): string {
  const names = [
    'dryRun',
    'noDelete',
    'noOverwrite',
    'readOnly',
    'writablePaths',
    'network',
    'noSudo',
    'runAs',
    'limits',
  ] as const
  return names.find((name) => restrictions[name] !== undefined && restrictions[name] !== false) ?? 'restrictions'
}

function refuseImpossible({ noSudo, runAs, limits }: Restrictions, { uid, user }: Situation): void {
  const isRoot = (user?.uid ?? uid) === 0
  if (noSudo === true && isRoot)
    throw unenforceable({
      restriction: 'noSudo',
      missing: 'user to run commands as: they already run as root',
      step: 'plan',
      fix: 'Set runAs to an ordinary user.',
    })
  if (runAs !== undefined && uid !== 0 && user?.uid !== uid)
    throw unenforceable({
      restriction: 'runAs',
      missing: `right to become ${runAs}`,
      step: 'plan',
      fix: 'Run the daemon as root, or leave runAs out.',
    })
  if (limits?.processes !== undefined && isRoot)
    throw unenforceable({
      restriction: 'limits.processes',
      missing: 'limit on the processes of root',
      step: 'plan',
      fix: 'Set runAs to an ordinary user.',
    })
}

function viewOf({ readOnly, dryRun, noDelete, noOverwrite, writablePaths }: Restrictions): HostPlan['view'] {
  if (readOnly === true) return 'readOnly'
  if (dryRun === true || noDelete === true || noOverwrite === true) return 'overlay'
  return writablePaths === undefined ? 'none' : 'live'
}

function planNamespaces(restrictions: Restrictions, situation: Situation): SandboxPlan {
  const view = viewOf(restrictions)
  const network = restrictions.network ?? (view === 'none' ? 'host' : 'none')
  // Without a view and with the machine's network, fewer rights are all there is to do.
  const privilege = view === 'none' && network === 'host' ? 'none' : situation.uid === 0 ? 'root' : 'user'
  const writable = restrictions.readOnly === true ? undefined : restrictions.writablePaths
  const roots = view === 'overlay' ? (writable ?? changeableRoots(situation)) : []
  const isClosed = view === 'readOnly' || view === 'live' || (view === 'overlay' && writable !== undefined)
  const scoped = network === 'host' && view !== 'none' && situation.landlock >= 6
  return {
    tier: privilege === 'none' ? 'landlock' : 'namespaces',
    kind: { privilege, network },
    isTransaction: view === 'overlay',
    shared: view === 'none' ? ownShared(situation) : situation.shared && SHARED_FOLDER,
    holes: holesOf(restrictions, { view, network, scoped, situation }),
    host: {
      ...base(restrictions, situation, { network, view }),
      view,
      privilege,
      roots,
      network,
      scratch: isClosed ? SCRATCH.filter((path) => !writable?.includes(path)) : [],
      deny: [],
      ...(writable !== undefined && { writable }),
      ...(view !== 'none' && situation.shared !== undefined && { shared: situation.shared }),
      ...(scoped && { landlock: { abi: situation.landlock, scoped } }),
    },
  }
}

/** A hole of a kernel before Landlock 6, where there are no namespaces. */
const SIGNALS_OPEN =
  'Other processes of the same user can be sent signals, the daemon too: the kernel of the machine cannot close that.'

function planLandlock(restrictions: Restrictions, situation: Situation): SandboxPlan {
  const isClosed = restrictions.readOnly === true || restrictions.writablePaths !== undefined
  if (isClosed && situation.landlock === 0)
    throw unenforceable({
      restriction: restrictions.readOnly === true ? 'readOnly' : 'writablePaths',
      missing: 'namespaces and no Landlock',
      step: 'landlock_create_ruleset',
      errno: 'EOPNOTSUPP',
      fix: 'The kernel must be 5.13 or later with landlock in its list of LSMs.',
    })
  const network = restrictions.network ?? (isClosed ? 'none' : 'host')
  const paths = restrictions.readOnly === true ? [] : (restrictions.writablePaths ?? [])
  const closed: HostPlan['deny'] = [
    'unix-sockets',
    'metadata',
    ...(situation.landlock < 3 ? (['truncate'] as const) : []),
  ]
  const scoped = situation.landlock >= 6 && isClosed
  const shared = ownShared(situation)
  const writable = [...paths, ...DEVICES, ...(shared === undefined ? [] : [shared])]
  const holes = holesOf(restrictions, { view: isClosed ? 'readOnly' : 'none', network, scoped, situation })
  return {
    tier: 'landlock',
    kind: { privilege: 'none', network },
    isTransaction: false,
    shared,
    holes: isClosed && !scoped ? [...holes, SIGNALS_OPEN] : holes,
    host: {
      ...base(restrictions, situation, { network, view: isClosed ? 'readOnly' : 'none' }),
      view: 'none',
      privilege: 'none',
      roots: [],
      network,
      scratch: [],
      noNewPrivileges: true,
      deny: [...(isClosed ? closed : []), ...(network === 'none' ? (['all-sockets'] as const) : [])],
      ...(isClosed && { landlock: { abi: situation.landlock, scoped, writable } }),
    },
  }
}

/** Where it is on the machine: another user does not get there. */
function ownShared({ shared, uid, user }: Situation): string | undefined {
  return user === undefined || user.uid === uid ? shared : undefined
}

function base(
  { noSudo }: Restrictions,
  { uid, user, hidden, networkId }: Situation,
  { network, view }: Pick<HostPlan, 'network' | 'view'>,
) {
  const keeps = uid === 0 && noSudo !== true
  // Who commands run as and how much they use are no limits of rights.
  const isOfRights = noSudo === true || uid !== 0 || network === 'none' || view !== 'none'
  const capabilities = keeps
    ? ROOT_CAPABILITIES.filter((capability) => network === 'none' || capability !== NET_RAW)
    : []
  return {
    hidden,
    outerNetwork: networkId,
    noNewPrivileges: uid !== 0 || noSudo === true,
    ...(isOfRights && { capabilities }),
    ...(user !== undefined && user.uid !== uid && { user }),
  }
}

function holesOf(
  { writablePaths, readOnly }: Restrictions,
  {
    view,
    network,
    scoped,
    situation,
  }: { view: HostPlan['view']; network: HostPlan['network']; scoped: boolean; situation: Situation },
): readonly string[] {
  const holes: string[] = []
  if (network === 'host' && view !== 'none') {
    holes.push('The network of the machine is within reach, and with it every service that listens on it.')
    if (!scoped) holes.push('Abstract Unix sockets of the machine are within reach: its kernel cannot close them.')
  }
  if (view === 'none' && network === 'none')
    holes.push('Unix sockets in files are within reach; a service behind one may use the network.')
  if (view === 'live' && readOnly !== true)
    for (const path of writablePaths ?? [])
      holes.push(`Everything below ${path} is the machine’s own, sockets included.`)
  if (situation.uid !== 0 && view === 'overlay')
    holes.push('Only directories of the user can be changed in the view; all others are read-only.')
  return holes
}
