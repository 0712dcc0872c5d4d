import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { cliMain, runCli } from './processes/cli.ts'
import { ownEnvironment } from './processes/environment.ts'
import { startTmux, type Tmux } from './processes/tmux.ts'
import { waitFor } from './wait-for.ts'

const bashCompletion = '/usr/share/bash-completion/bash_completion'

/** How each shell is started, so that it loads the completion and nothing else, and prompts with `ready`. */
const shells = {
  bash: {
    argv: ['bash', '--rcfile', '.bashrc', '-i'],
    rc: '.bashrc',
    text: `unset HISTFILE\nPS1='ready '\n. ${bashCompletion}\n`,
  },
  zsh: { argv: ['zsh', '-i'], rc: '.zshrc', text: `PS1='ready '\nautoload -Uz compinit\ncompinit -u -D\n` },
  fish: {
    argv: ['fish', '--private', '-i'],
    rc: 'fish/config.fish',
    text: `set -g fish_greeting\nset -g fish_autosuggestion_enabled 0\nfunction fish_prompt; printf 'ready '; end\n`,
  },
}
const isInstalled =
  ['tmux', ...Object.keys(shells)].every((name) => existsSync(`/usr/bin/${name}`)) && existsSync(bashCompletion)

let folder: string
let tmux: Tmux
/** Is there when a shell has run what was typed. */
let harm: string
/** What `cmdop` was called with: a line a word, and an empty one at its end. */
let calls: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-test-'))
  tmux = startTmux({ columns: 1500, rows: 24 })
  harm = join(folder, 'harm')
  calls = join(folder, 'calls')
  const log = `for word; do printf '%s\\n' "$word" >> ${calls}; done`
  const script = `#!/bin/sh\n${log}\n'${process.execPath}' --conditions=@cmdop/source '${cliMain}' "$@"\necho >> ${calls}\n`
  await writeFile(join(folder, 'cmdop'), script, { mode: 0o755 })
  // Without it fish writes down what the pages of all manuals offer.
  await mkdir(join(folder, 'fish/generated_completions'), { recursive: true })
  for (const [name, { rc, text }] of Object.entries(shells)) {
    const { stdout } = await runCli(['completion', name])
    await writeFile(join(folder, `completion.${name}`), stdout)
    await writeFile(join(folder, rc), `${text}. ${join(folder, `completion.${name}`)}\n`)
  }
})
afterEach(async () => {
  await rm(harm, { force: true })
  await rm(calls, { force: true })
})
afterAll(async () => {
  await tmux[Symbol.asyncDispose]()
  // The shells are about to end, and put things down.
  await rm(folder, { recursive: true, force: true, maxRetries: 10 })
})

/** A shell of a person, at its prompt. */
async function openShell(name: keyof typeof shells) {
  const own = ownEnvironment()
  const at = { HOME: folder, ZDOTDIR: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder }
  // tmux takes its own search path.
  const start = ['env', '-C', folder, `PATH=${folder}:${own['PATH']}`]
  const terminal = await tmux.open([...start, ...shells[name].argv], { ...own, ...at })
  await terminal.until('ready')
  return terminal
}

const names = Object.keys(shells) as (keyof typeof shells)[]

test.runIf(isInstalled).for(names)('%s completes behind hostile words, and runs none of them', async (name) => {
  const run = `touch ${harm}`
  const words = [
    `$(${run})`,
    `\`${run}\``,
    `"$(${run})"`,
    `"(${run})"`,
    `'$(${run})'`,
    `'\`${run}\`'`,
    `'(${run})'`,
    `';${run};'`,
    `'a\n${run}\nb'`,
    `'"; ${run}; "'`,
    `"'; ${run}; '"`,
    `\\;${run.replace(' ', '\\ ')}\\;`,
    `'a[$(${run})]'`,
  ]
  const terminal = await openShell(name)
  await terminal.paste(`cmdop machines ${words.join(' ')} --presence off`)
  await terminal.press('Tab')
  await terminal.until('--presence offline')
  expect(existsSync(harm)).toBe(false)
})

test.runIf(isInstalled).for(names)('%s does not run a hostile word that it is to complete', async (name) => {
  // Without a space, at which parts of a script could split it; fish has no such command.
  const run = name === 'fish' ? `touch ${harm}` : `>${harm}`
  const quoted = [`'--presence$(${run})='`, `'$(${run})'`, `';${run};'`]
  // This zsh runs by itself, whatever is completed.
  const open = name === 'zsh' ? [] : [`"$(${run})"`, `--presence=$(${run})`]
  const terminal = await openShell(name)
  for (const [index, word] of [...quoted, ...open].entries()) {
    await terminal.paste(`cmdop machines ${word}`)
    await terminal.press('Tab')
    await waitFor('it was asked about', () => readFile(calls, 'utf8').then(isWhole, () => false))
    await terminal.press('C-u')
    await terminal.type(`printf 'o%s ' ver-${index}`)
    await terminal.press('Enter')
    await terminal.until(`over-${index}`)
    expect([word, existsSync(harm)]).toEqual([word, false])
    await rm(calls)
  }
})

test.runIf(isInstalled).for(names)('%s completes a value behind its option', async (name) => {
  const terminal = await openShell(name)
  await terminal.type('cmdop machines --presence=off')
  await terminal.press('Tab')
  await terminal.until('--presence=offline')
})

/** Whether `cmdop` has answered. */
const isWhole = (log: string) => log.endsWith('\n\n')
