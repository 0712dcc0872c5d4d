import type { Command } from 'commander'
import type { CpFlags } from './commands/cp.ts'
import type { Done } from './program.ts'

/** `cmdop cp`. */
export function addFileCommands(program: Command, done: Done, signal: AbortSignal): void {
  program
    .command('cp')
    .description('copy files between this computer and machines, or from one machine to another')
    .argument('<source>', 'a path here, or <machine>:<absolute path>')
    .argument('<destination>', 'a path here, or <machine>:<absolute path>')
    .option('-r, --recursive', 'a directory with all that is in it')
    .option('-p, --preserve', 'keep times and every bit of the mode')
    .option('--resume', 'go on with what an earlier try left, and send nothing that is there already')
    .option('--json', 'print one JSON document')
    .action(
      done(async (source: string, destination: string, flags: CpFlags) =>
        (await import('./commands/cp.ts')).cpCommand(source, destination, { ...flags, signal }),
      ),
    )
}

/** `cmdop effects`. */
export function addEffectCommands(program: Command, done: Done, signal: AbortSignal): void {
  const effects = program.command('effects').description('what restricted commands and sessions would change')
  const load = () => import('./commands/effects.ts')
  effects
    .command('list')
    .description('list the effects that a machine keeps, the newest first')
    .argument('<machine>', 'id, hostname, name or unique prefix')
    .option('--limit <count>', 'at most so many (default: 50)')
    .option('--json', 'print one JSON document')
    .action(
      done(async (machine: string, flags: { limit?: string; json?: boolean }) =>
        (await load()).listEffectsCommand(machine, { ...flags, signal }),
      ),
    )
  const one = (name: string, description: string) =>
    effects
      .command(name)
      .description(description)
      .argument('<machine>', 'id, hostname, name or unique prefix')
      .argument('<id>', 'of the session or command, from: cmdop effects list')
      .option('--json', 'print one JSON document')
  type Flags = { hash?: string; json?: boolean }
  one('show', 'show what it would change, as a tree with diffs').action(
    done(async (machine: string, effectId: string, flags: Flags) =>
      (await load()).showEffectCommand({ machine, effectId }, { ...flags, signal }),
    ),
  )
  one('apply', 'put it in place, exactly as it was shown')
    .option('--hash <hash>', 'hash of what was shown (default: it is shown now, and you are asked)')
    .action(
      done(async (machine: string, effectId: string, flags: Flags) =>
        (await load()).applyEffectCommand({ machine, effectId }, { ...flags, signal }),
      ),
    )
  one('discard', 'forget it').action(
    done(async (machine: string, effectId: string, flags: Flags) =>
      (await load()).discardEffectCommand({ machine, effectId }, { ...flags, signal }),
    ),
  )
  one('undo', 'take it back after it was applied').action(
    done(async (machine: string, effectId: string, flags: Flags) =>
      (await load()).undoEffectCommand({ machine, effectId }, { ...flags, signal }),
    ),
  )
}
