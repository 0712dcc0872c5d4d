import { CmdopError, isRestricted, type ResourceLimits, type Restrictions } from '@cmdop/protocol'
import type { Command } from 'commander'
import { byteFactors } from './numbers.ts'

/** What {@link withRestrictionOptions} adds; `--no-delete` makes `delete` false, which is true without it. */
export interface RestrictionFlags {
  dryRun?: boolean
  readOnly?: boolean
  delete?: boolean
  overwrite?: boolean
  network?: boolean
  withNetwork?: boolean
  sudo?: boolean
  runAs?: string
  write?: string[]
  limit?: string[]
}

/** Adds the options that restrict what a command or session may do. */
export function withRestrictionOptions(command: Command): Command {
  return command
    .option('--dry-run', 'change nothing, and show what would change; it can be applied with: cmdop effects apply')
    .option('--read-only', 'let it write nothing but scratch files that vanish')
    .option('--no-delete', 'apply its changes only when they delete, empty and replace nothing')
    .option('--no-overwrite', 'as --no-delete, and only when no file gets another content')
    .option('--write <directory>', 'let it write only below this directory (repeatable)', collect)
    .option('--no-network', 'give it no network')
    .option('--with-network', 'give it the network of the machine also where its changes are held back')
    .option('--no-sudo', 'let it gain no rights, not by sudo either')
    .option('--run-as <user>', 'run it as this user')
    .option(
      '--limit <name=number>',
      `bound what it uses: ${Object.keys(limitNames).join(', ')}; bytes as 512M or 2G (repeatable)`,
      collect,
    )
}

/** The restrictions that were asked for; undefined for none. Throws `config` for two that contradict each other, and a limit that is none. */
export function restrictionsOf(flags: RestrictionFlags): Restrictions | undefined {
  if (flags.network === false && flags.withNetwork === true)
    throw new CmdopError('config', 'Expected --no-network or --with-network, got both.')
  const restrictions: Restrictions = {
    ...(flags.dryRun === true && { dryRun: true }),
    ...(flags.readOnly === true && { readOnly: true }),
    ...(flags.delete === false && { noDelete: true }),
    ...(flags.overwrite === false && { noOverwrite: true }),
    ...(flags.write !== undefined && { writablePaths: flags.write }),
    ...(flags.network === false && { network: 'none' }),
    ...(flags.withNetwork === true && { network: 'host' }),
    ...(flags.sudo === false && { noSudo: true }),
    ...(flags.runAs !== undefined && { runAs: flags.runAs }),
    ...(flags.limit !== undefined && { limits: limitsOf(flags.limit) }),
  }
  return isRestricted(restrictions) ? restrictions : undefined
}

/** Restrictions in short, for a table. */
export function namesOf(restrictions: Restrictions | null): string {
  const names = Object.entries(restrictions ?? {}).flatMap(([name, value]) => {
    if (typeof value === 'string') return [`${name} ${value}`]
    return value === false || value === undefined ? [] : [name]
  })
  return names.length === 0 ? '-' : names.join(', ')
}

/** Limits by their names here, and whether they are of bytes. */
const limitNames: Readonly<Record<string, { readonly as: keyof ResourceLimits; readonly isBytes?: true }>> = {
  'cpu-seconds': { as: 'cpuSeconds' },
  memory: { as: 'memoryBytes', isBytes: true },
  processes: { as: 'processes' },
  'open-files': { as: 'openFiles' },
  'all-tasks': { as: 'tasksMax' },
  'all-memory': { as: 'memoryMaxBytes', isBytes: true },
  view: { as: 'viewBytes', isBytes: true },
}

function limitsOf(given: readonly string[]): ResourceLimits {
  const limits: ResourceLimits = {}
  for (const text of given) {
    const [, name = '', number = '', unit = ''] = /^([^=]*)=(\d+)([kmgt]?)$/i.exec(text) ?? []
    const limit = Object.hasOwn(limitNames, name) ? limitNames[name] : undefined
    if (limit === undefined || (unit !== '' && limit.isBytes !== true)) throw notALimit(text)
    if (limits[limit.as] !== undefined) throw new CmdopError('config', `Expected --limit ${name} once, got it twice.`)
    limits[limit.as] = Number(number) * (byteFactors[unit.toLowerCase()] ?? 1)
  }
  return limits
}

function notALimit(text: string): CmdopError {
  const names = Object.entries(limitNames).map(([name, { isBytes }]) => `${name}=${isBytes === true ? '512M' : '100'}`)
  return new CmdopError(
    'config',
    `Expected --limit to be one of ${names.join(', ')} with a number of yours, got "${text}".`,
  )
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}
