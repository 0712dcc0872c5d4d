import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createAgent } from '@cmdop/agent'
import { scriptedModel, type ScriptedCall } from '@cmdop/agent/testing'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startWorld, type World } from './world.ts'

let world: World
let folder = ''
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
  await mkdir(join(folder, 'backups'))
  await writeFile(join(folder, 'backups', 'only'), 'the only backup\n')
})

const shell = (command: string): ScriptedCall => ({ tool: 'run_command', input: { command } })

/** Ways to lose the only backup. */
function losses(): ScriptedCall[] {
  const only = join(folder, 'backups', 'only')
  return [
    shell(`rm -rf '${folder}/backups'`),
    shell(`cd '${folder}' && find . -type f -delete`),
    shell(`: > '${only}'`),
    shell(`echo other > '${folder}/new' && mv '${folder}/new' '${only}'`),
    shell(`node -e "require('fs').rmSync('${folder}/backups', { recursive: true })"`),
    shell(`truncate -s 4 '${only}'; dd if=/dev/zero of='${only}' bs=8 count=2 2>/dev/null`),
    shell(`eval "$(printf 'r\\155 -r')" '${folder}'/b*`),
    { tool: 'run_command', input: { command: ['unlink', only], readOnly: true } },
    { tool: 'write_file', input: { path: only, content: '' } },
  ]
}

test('15. what would delete, empty or replace is not done under noDelete, whoever allows it and however it is put', async () => {
  const calls = losses()
  using model = scriptedModel([...calls.map((call) => ({ calls: [call] })), { text: 'Nothing is lost.' }])
  const gate = { decide: async () => ({ decision: 'allow', rule: 'remembered' }) as const }
  const agent = createAgent({ machine: world.handle, model, gate, env: {} })
  const { effects, toolCalls } = await agent.run('Make room', { restrictions: { noDelete: true, noOverwrite: true } })
  expect(toolCalls.map(({ outcome, input }) => [outcome, input])).toEqual(calls.map(({ input }) => ['error', input]))
  expect(await readdir(join(folder, 'backups'))).toEqual(['only'])
  expect(await readFile(join(folder, 'backups', 'only'), 'utf8')).toBe('the only backup\n')

  // What waits is for a person: no key of an AI applies it, whatever its role.
  const { rawToken: token } = await world.client.keys.issue({ name: 'operator', kind: 'ai', role: 'admin' })
  const machine = await world.connect({ token }).machine(world.machine.id)
  const waiting = effects.filter(({ state }) => state === 'pending')
  expect(waiting.length).toBeGreaterThan(0)
  for (const { effectId, hash } of waiting)
    await expect(machine.effects.apply(effectId, hash)).rejects.toMatchObject({ code: 'permission' })
  expect(await readdir(join(folder, 'backups'))).toEqual(['only'])
})
