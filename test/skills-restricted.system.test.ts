import { join } from 'node:path'
import { createAgent } from '@cmdop/agent'
import { scriptedModel } from '@cmdop/agent/testing'
import { expect, test } from 'vitest'
import { codeOf } from './code-of.ts'
import { installScript } from './skill-worlds.ts'
import { startWorld } from './world.ts'

test('what a skill runs is under the restrictions of the run, and it is seen there', async () => {
  await using world = await startWorld()
  const file = join(await world.folder(), 'written')
  await installScript(
    world.client,
    world.machine.id,
    'writer',
    `echo x > ${file} && echo '{"ok":true}' || echo '{"ok":false}'`,
  )
  const call = { calls: [{ tool: 'skill_run', input: { skill: 'writer', tool: 'go', input: {} } }] }
  using dry = scriptedModel([call, { text: 'Done.' }])
  const preview = await createAgent({ machine: world.handle, model: dry, restrictions: { dryRun: true } }).run('Go')
  expect(preview.toolCalls[0]).toMatchObject({ outcome: 'done', output: { output: { ok: true } } })
  expect(preview.effects).toMatchObject([{ state: 'pending' }])
  expect(await codeOf(() => world.handle.files.stat(file))).toBe('not_found')
  using only = scriptedModel([call, { text: 'Done.' }])
  await createAgent({ machine: world.handle, model: only, restrictions: { readOnly: true } }).run('Go')
  expect(await codeOf(() => world.handle.files.stat(file))).toBe('not_found')
  const { output } = await world.handle.skills.run('writer', 'go', {})
  expect(output).toEqual({ ok: true })
  expect(await codeOf(() => world.handle.files.stat(file))).toBe('ok')
})
