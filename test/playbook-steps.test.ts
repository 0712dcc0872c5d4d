import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { scriptedModel } from '@cmdop/agent/testing'
import { playbook, step } from '@cmdop/fleet'
import { Client } from 'cmdop'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { startWorld } from './world.ts'

test('an operator’s answer and copied files are used by later steps, each of its own machine, and copies are undone', async () => {
  await using world = await startWorld({ machines: 2 })
  const [source, folder] = [await world.folder(), await world.folder()]
  await writeFile(join(source, 'app.txt'), 'two\n')
  const names = world.machines.map(({ name }) => name).toSorted()
  for (const name of names) {
    await mkdir(join(folder, name))
    await writeFile(join(folder, name, 'app.txt'), 'one\n')
  }
  using model = scriptedModel([
    { calls: [{ tool: 'final_result', input: { port: 80 } }] },
    { calls: [{ tool: 'final_result', input: { port: 81 } }] },
  ])
  await using client = new Client({ baseUrl: world.relay.url, token: world.relay.firstKey, agent: { model } })
  const target = ({ machine }: { machine: { name: string } }) => join(folder, machine.name, 'app.txt')
  const found = step.run('find', ({ machine }) => `Which port has ${machine.name}?`, {
    outputSchema: z.object({ port: z.number() }),
    concurrency: 1,
  })
  const before = step.exec('before', (at) => ['cat', target(at)])
  const copied = step.copy('copy', join(source, 'app.txt'), target, {
    rollback: (at) => `printf %s '${at.valueOf(before).stdout.trim()}' > ${target(at)}`,
  })
  const steps = [
    found,
    before,
    copied,
    step.exec('use', (at) => {
      // Both are typed, without a cast.
      const port: number = at.valueOf(found).port
      const bytes: number = at.valueOf(copied).bytes
      return `cat ${target(at)}; echo ${port} ${bytes}`
    }),
  ]
  const report = await playbook('typed', { steps }).run(client, { on: '*' })
  expect(report.outcome, report.message ?? '').toBe('ok')
  expect(report.steps[3]?.rows.map(({ result }) => result)).toMatchObject(
    [80, 81].map((port) => ({ stdout: `two\n${port} 4\n` })),
  )
  for (const name of names) await writeFile(join(folder, name, 'app.txt'), 'one\n')
  const failing = await playbook('failing', { steps: [before, copied, step.exec('bad', 'false')] }).run(client, {
    on: '*',
  })
  expect(failing).toMatchObject({ outcome: 'failed', rollbacks: [{ step: 'copy.rollback', outcome: 'ok' }] })
  for (const name of names) expect(await readFile(join(folder, name, 'app.txt'), 'utf8')).toBe('one')
})
