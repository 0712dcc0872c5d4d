import { Argument, type Command } from 'commander'
import { completionScripts, completionShells } from './completion-scripts.ts'
import { exitCodes } from './exit-codes.ts'
import type { Done } from './program.ts'
import { writeStdout } from './terminal.ts'

/** A command that its library would add for scripts of its own. */
const NOT_OURS = 'scripts'

/**
 * `cmdop completion <shell>` prints what a shell loads to complete commands and options; that asks `cmdop complete`, which is not shown.
 * Comes after all other commands, because that reads them; its library is loaded only when it is called.
 */
export async function addCompletion(program: Command, argv: readonly string[], done: Done): Promise<void> {
  program
    .command('completion')
    .description('print what bash, fish or zsh loads to complete commands and options')
    .addArgument(new Argument('<shell>').choices(completionShells))
    .action(
      done(async (shell: keyof typeof completionScripts) => {
        await writeStdout(completionScripts[shell])
        return exitCodes.ok
      }),
    )
  if (argv[0] !== 'complete') return
  const { default: tab } = await import('@bomb.sh/tab/commander')
  tab(program, { completionCommandName: NOT_OURS }).commands.delete(NOT_OURS)
}
