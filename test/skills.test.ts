import { createAgent } from '@cmdop/agent'
import { scriptedModel } from '@cmdop/agent/testing'
import { readSkillFolder } from '@cmdop/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { startWorld } from './world.ts'

const FOLDER = new URL('../examples/skills/disk-usage', import.meta.url).pathname

const Disks = z.object({
  full: z.array(z.string()),
  disks: z.array(z.object({ path: z.string(), usedPercent: z.number() })),
})

test('a skill published by one key is installed on two machines, and an operator uses it with typed output', async () => {
  await using world = await startWorld({ machines: 2 })
  const { client } = world
  await client.skills.create('Disk usage')
  const published = await client.skills.publish('disk-usage', { files: await readSkillFolder(FOLDER) })
  expect(published).toMatchObject({ status: 'published', version: '1.0.0' })
  for (const { name } of world.machines) {
    const told: string[] = []
    const installed = await client.skills.install('disk-usage', { machine: name, onCheck: (line) => told.push(line) })
    expect(installed).toMatchObject({ sha256: published.sha256, replaced: null, check: { ok: true } })
    expect(told).toEqual([installed.runCheck])
    const { output } = await client.skills.run(
      'disk-usage',
      'check',
      { paths: ['/'] },
      { machine: name, outputSchema: Disks },
    )
    expect(output.disks[0]?.path).toBe('/')
  }
  for (const { id } of world.machines) {
    using model = scriptedModel([
      { calls: [{ tool: 'skill_list', input: {} }] },
      { calls: [{ tool: 'skill_read', input: { skill: 'disk-usage' } }] },
      {
        calls: [{ tool: 'skill_run', input: { skill: 'disk-usage', tool: 'check', input: { paths: ['/', '/tmp'] } } }],
      },
      { calls: [{ tool: 'final_result', input: { count: 2 } }] },
    ])
    const machine = await client.machine(id)
    const result = await createAgent({ machine, model }).run('How full are the disks?', {
      outputSchema: z.object({ count: z.int() }),
    })
    expect(result.output).toEqual({ count: 2 })
    expect(result.toolCalls.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'done'])
    expect(result.toolCalls[2]?.output).toMatchObject({ output: { ok: true } })
  }
})
