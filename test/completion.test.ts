import { expect, test } from 'vitest'
import { runCli } from './processes/cli.ts'

/** What a shell is offered for these words, the last of which is not finished. */
async function offered(...words: string[]): Promise<string[]> {
  const { code, stdout } = await runCli(['complete', '--', ...words])
  expect(code).toBe(0)
  // The last line says how the shell is to use them.
  return stdout
    .trim()
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t', 1)[0] ?? '')
}

test('commands, their subcommands, options and choices are offered', async () => {
  expect(await offered('fle')).toContain('fleet')
  expect(await offered('fleet', '')).toEqual(expect.arrayContaining(['exec', 'run', 'resume']))
  expect(await offered('fleet', 'exec', '--wa')).toEqual(['--waves'])
  expect(await offered('machines', '--presence', 'off')).toEqual(['offline'])
})

test('a shell that is not known is refused, and the command is in the help', async () => {
  expect(await runCli(['completion', 'tcsh'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('bash, fish, zsh'),
  })
  expect(await offered('completion', '')).toEqual(['bash', 'fish', 'zsh'])
  expect(await offered('scr')).toEqual([])
  const { stdout } = await runCli(['--help'])
  expect(stdout).toContain('completion')
  expect(stdout).not.toMatch(/^ {2}complete\b(?!i)/m)
})
