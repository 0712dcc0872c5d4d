import { CmdopError, isRestricted, type Restrictions } from '@cmdop/protocol'
import type { Command } from 'commander'

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
}

/** The restrictions that were asked for; undefined for none. Throws `config` for two that contradict each other. */
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

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}
