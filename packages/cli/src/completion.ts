import type { Command } from 'commander'

/**
 * `cmdop completion <shell>` prints what a shell loads to complete commands and options; that asks `cmdop complete`, which is not shown.
 * Comes after all other commands, because it reads them; its library is loaded only when it is called.
 */
export async function addCompletion(program: Command, argv: readonly string[]): Promise<void> {
  const [name = ''] = argv
  if (name === 'completion' || name === 'complete') {
    const { default: tab } = await import('@bomb.sh/tab/commander')
    tab(program, { completionCommandName: 'completion' })
    return
  }
  program
    .command('completion <shell>')
    .description('print what bash, fish or zsh loads to complete commands and options')
}
