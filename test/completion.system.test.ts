import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ownEnvironment } from './processes/environment.ts'
import { cliMain } from './processes/cli.ts'

const bashCompletion = '/usr/share/bash-completion/bash_completion'
const run = promisify(execFile)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-test-'))
  const script = `#!/bin/sh\nexec '${process.execPath}' --conditions=@cmdop/source '${cliMain}' "$@"\n`
  await writeFile(join(folder, 'cmdop'), script, { mode: 0o755 })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function shell(program: string, argv: string[], commands: string): Promise<string> {
  const environment = ownEnvironment()
  const env = { ...environment, PATH: `${folder}:${environment['PATH']}`, HOME: folder, XDG_CONFIG_HOME: folder }
  return (await run(program, [...argv, '-c', commands], { env })).stdout
}

const installed = (program: string) => existsSync(`/usr/bin/${program}`)

test.runIf(installed('bash') && existsSync(bashCompletion))('bash completes what it has loaded', async () => {
  const commands = `
    source ${bashCompletion}
    source <(cmdop completion bash)
    COMP_LINE='cmdop fleet exe' COMP_POINT=15 COMP_WORDS=(cmdop fleet exe) COMP_CWORD=2
    __cmdop_complete
    printf '%s\\n' "\${COMPREPLY[@]}"`
  expect(await shell('bash', ['--norc'], commands)).toMatch(/^exec\b/m)
})

test.runIf(installed('fish'))('fish completes what it has loaded', async () => {
  const commands = `source (cmdop completion fish | psub); complete -C 'cmdop fleet exe'`
  expect(await shell('fish', ['--no-config'], commands)).toMatch(/^exec\b/m)
})

test.runIf(installed('zsh'))('zsh loads it for cmdop', async () => {
  const commands = 'autoload -Uz compinit; compinit -u -D; source <(cmdop completion zsh); print $_comps[cmdop]'
  expect(await shell('zsh', ['-f'], commands)).toMatch(/^_cmdop$/m)
})
