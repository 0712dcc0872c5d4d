import type { Command } from 'commander'
import type { PlaybookGoOnFlags, PlaybookRunFlags } from './commands/playbook.ts'
import type { Done } from './program.ts'

/** `cmdop playbook`. */
export function addPlaybookCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/playbook.ts')
  const playbook = program
    .command('playbook')
    .description('run named steps over many machines, and undo them when they fail')
  const collect = (value: string, all: string[] = []) => [...all, value]
  playbook
    .command('run')
    .description('run the playbook of a file')
    .argument('<file>', 'of TypeScript or JavaScript, which exports a playbook')
    .requiredOption('--on <selector>', "machines: 'role=web,env!=dev', 'web-*', 'web-1 or web-2', '*'")
    .option('--input <name=value>', 'an input: text, or JSON where the playbook takes no text', collect)
    .option('--dry-run', 'do its steps in a view of each machine, of which nothing reaches it; nobody is asked')
    .option('--run-id <uuid>', 'id of the run; the same one never runs twice')
    .option('--json', 'print one JSON document')
    .action(
      done(async (file: string, flags: PlaybookRunFlags) =>
        (await load()).playbookRunCommand(file, { ...flags, signal }),
      ),
    )
  const goingOn = (name: string, description: string, undo: boolean) =>
    playbook
      .command(name)
      .description(description)
      .argument('<run>')
      .option('--file <file>', 'where the playbook is now (default: where it was when the run began)')
      .option('--json', 'print one JSON document')
      .action(
        done(async (run: string, flags: PlaybookGoOnFlags) =>
          (await load()).playbookGoOnCommand(run, { ...flags, undo, signal }),
        ),
      )
  goingOn('resume', 'go on with a run whose script is gone', false)
  goingOn('undo', 'undo what has ended well of a run; nothing more of it begins', true)
}
