import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { release } from 'node:os'
import { join } from 'node:path'
import { type Restrictions, isCmdopError } from '@cmdop/protocol'
import { landlockVersion } from './host/landlock.ts'
import type { Tier } from './restrictions/plan-restrictions.ts'
import { type System, thisSystem } from './restrictions/system.ts'
import { openSandbox } from './sandbox.ts'

/** Whether one restriction can be held on this machine. */
export interface CapabilityOf {
  readonly ok: boolean
  /** How it is held. */
  readonly tier?: Tier
  /** What stays within reach, or does not work. */
  readonly limits: readonly string[]
  /** Where not: what is missing, the step that failed, its errno and what helps, as in the error. */
  readonly missing?: string
  readonly step?: string
  readonly errno?: string
  readonly fix?: string
}

/** What this machine can hold, found out by doing it. */
export interface SandboxCapabilities {
  readonly system: string
  readonly restrictions: Readonly<Record<ProbedRestriction, CapabilityOf>>
  /** Version of Landlock; 0 = none. */
  readonly landlock: number
  /** Settings of the system that matter. */
  readonly hints: readonly string[]
}

const probes = {
  dryRun: { dryRun: true },
  noDelete: { noDelete: true },
  noOverwrite: { noOverwrite: true },
  readOnly: { readOnly: true },
  writablePaths: { writablePaths: [] },
  network: { network: 'none' },
  noSudo: { noSudo: true },
} as const satisfies Record<string, Restrictions>

/** A restriction that is tried out. */
export type ProbedRestriction = keyof typeof probes

/**
 * Tries each restriction out, with a file of its own in `folder` that a command in the sandbox removes. The answer is kept in
 * `folder` until the machine starts again or the daemon runs as another user. Never rejects.
 */
export async function probeCapabilities(folder: string, system: System = thisSystem()): Promise<SandboxCapabilities> {
  const key = bootKey(system)
  const file = join(folder, 'capabilities.json')
  const kept = await readFile(file, 'utf8').then(JSON.parse, () => undefined)
  if (kept?.key === key) return kept.capabilities as SandboxCapabilities
  const capabilities = await probe(folder, system)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(file, JSON.stringify({ key, capabilities }), { mode: 0o600 })
  return capabilities
}

async function probe(folder: string, system: System): Promise<SandboxCapabilities> {
  const entries: [string, CapabilityOf][] = []
  for (const [name, restrictions] of Object.entries(probes))
    entries.push([name, await tryOut(name, restrictions, { folder, system })])
  const restrictions = Object.fromEntries(entries) as Record<ProbedRestriction, CapabilityOf>
  return { system: `${system.platform} ${release()}`, restrictions, landlock: version(), hints: hints() }
}

interface Trial {
  readonly folder: string
  readonly system: System
}

async function tryOut(name: string, probe: Restrictions, { folder, system }: Trial): Promise<CapabilityOf> {
  const isRoot = process.getuid?.() === 0
  const restrictions = { ...probe, ...(name === 'noSudo' && isRoot && { runAs: 'nobody' }) }
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const place = await mkdtemp(join(folder, 'probe-'))
    try {
      return await tryIn(restrictions, { folder: join(folder, 'tx'), system }, place)
    } finally {
      await rm(place, { recursive: true, force: true })
    }
  } catch (error) {
    if (!isCmdopError(error)) return { ok: false, limits: [], missing: 'sandbox', step: 'probe', errno: String(error) }
    const { missing, step, errno, fix } = error.details as Record<string, string>
    return {
      ok: false,
      limits: [],
      missing: missing ?? error.message,
      step: step ?? 'probe',
      ...(errno && { errno }),
      ...(fix && { fix }),
    }
  }
}

/** The command removes a file of ours, and the file must be there afterwards, where the restriction is about files. */
async function tryIn(restrictions: Restrictions, trial: Trial, place: string): Promise<CapabilityOf> {
  const canary = join(place, 'canary')
  await writeFile(canary, 'alive')
  const sandbox = await openSandbox(restrictions, { ...trial, cwd: place })
  try {
    const env = { PATH: '/usr/local/bin:/usr/bin:/bin' }
    const isOfFiles = restrictions.network === undefined && restrictions.noSudo === undefined
    const args = ['-c', isOfFiles ? `rm -f '${canary}'; exit 0` : 'exit 0']
    const process = await sandbox.spawn({ file: 'sh', args, cwd: '/', env, stdin: false })
    const { exitCode } = await process.exit
    if (exitCode !== 0 || !existsSync(canary))
      return { ok: false, limits: [], missing: 'proof that the sandbox holds', step: 'probe', errno: String(exitCode) }
    return { ok: true, tier: sandbox.tier, limits: sandbox.holes }
  } finally {
    await sandbox.discard()
  }
}

function version(): number {
  try {
    return landlockVersion()
  } catch {
    return 0
  }
}

/** Read, not written: settings that explain a refusal. */
function hints(): readonly string[] {
  const setting = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined)
  return [
    setting('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1' &&
      'AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns=1): run the daemon as root, or give it a profile with `userns`.',
    setting('/proc/sys/user/max_user_namespaces') === '0' &&
      'User namespaces are turned off (user.max_user_namespaces=0).',
    setting('/proc/sys/kernel/unprivileged_userns_clone') === '0' &&
      'User namespaces are for root only (kernel.unprivileged_userns_clone=0).',
  ].filter((hint) => hint !== false)
}

function bootKey(system: System): string {
  const boot = '/proc/sys/kernel/random/boot_id'
  return [
    existsSync(boot) ? readFileSync(boot, 'utf8').trim() : release(),
    process.getuid?.() ?? '',
    process.version,
    system.platform,
  ].join(' ')
}
