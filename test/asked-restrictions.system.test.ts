import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { clientOf, runs, startAsked } from './asked-world.ts'

test('an ask under dryRun changes nothing, and what it would change is applied by who asked', async () => {
  let folder = ''
  await using asked = await startAsked((_, index) =>
    index === 0 ? runs(`cd '${folder}'; mv kept moved`) : { text: 'Done.' },
  )
  const { world } = asked
  const { client, handle } = world
  folder = await world.folder()
  await writeFile(join(folder, 'kept'), '')
  const ask = client.machines.ask(world.machine.id, 'Tidy up', { restrictions: { dryRun: true } })
  const frames = await Array.fromAsync(ask)
  const done = frames.at(-1)
  if (done?.type !== 'done') throw new Error('Expected it to be done.')
  expect(await readdir(folder)).toEqual(['kept'])
  const [effect = expect.fail('It has no effect.')] = done.effects
  expect(effect).toMatchObject({ state: 'pending', counts: { moved: 1 } })
  expect((await client.runs.get(done.runId)).askId).toBe(ask.callId)
  const viewer = await (await clientOf(world, 'viewer')).machine(world.machine.id)
  await expect(viewer.effects.apply(effect.effectId, effect.hash)).rejects.toMatchObject({ code: 'permission' })
  await handle.effects.apply(effect.effectId, effect.hash)
  expect(await readdir(folder)).toEqual(['moved'])
})

test('an ask that asks for what the machine cannot hold is refused before its model is asked', async () => {
  await using asked = await startAsked([])
  const { client, machine } = asked.world
  const ask = client.machines.ask(machine.id, 'Tidy up', { restrictions: { noSudo: true } })
  await expect(ask.collect()).rejects.toMatchObject({ code: 'restriction_unenforceable' })
  expect(asked.server.requests).toHaveLength(0)
})
