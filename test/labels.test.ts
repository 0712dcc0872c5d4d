import { enrollMachine, startMachine } from '@cmdop/machine'
import { parseSelector, selects } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import { codeOf } from './code-of.ts'
import { startWorld } from './world.ts'

test('a machine has the labels of its daemon where the relay has none: those of its token, its enrolment and of people', async () => {
  await using world = await startWorld({ machines: 0 })
  const { client } = world
  const { rawToken: token } = await client.enrollmentTokens.issue({ labels: { role: 'web' } })
  const [relayUrl, dataDir] = [world.relay.url, await world.folder()]
  const { machineId } = await enrollMachine({
    relayUrl,
    token,
    dataDir,
    name: 'web-1',
    labels: { role: 'db', zone: 'a' },
  })
  const labels = async () => (await client.machines.get(machineId)).labels
  expect(await labels()).toEqual({ role: 'web', zone: 'a' })
  await using machine = await startMachine({ dataDir, logLevel: 'silent', labels: { role: 'cache', rack: '7' } })
  await expect.poll(labels).toEqual({ role: 'web', zone: 'a', rack: '7' })
  const { labels: changed } = await client.machines.label(machineId, { env: 'prod', zone: null, role: 'front' })
  expect(changed).toEqual({ role: 'front', env: 'prod', rack: '7' })
  // What the relay has no longer is the daemon's word again.
  expect((await client.machines.label(machineId, { role: null })).labels['role']).toBe('cache')
  await using opened = new AsyncDisposableStack()
  await machine.close()
  opened.use(await startMachine({ dataDir, logLevel: 'silent' }))
  await expect.poll(labels).toEqual({ env: 'prod' })
  const selector = parseSelector('env=prod,rack!=7')
  const found = (await Array.fromAsync(client.machines.iter())).filter((each) => selects(selector, each))
  expect(found.map(({ name }) => name)).toEqual(['web-1'])
})

test('changes of labels by many at once are all there, and too many are refused', async () => {
  await using world = await startWorld()
  const { client, machine } = world
  const names = Array.from({ length: 30 }, (_, index) => `label-${index}`)
  await Promise.all(names.map((name) => client.machines.label(machine.id, { [name]: 'x' })))
  expect(Object.keys((await client.machines.get(machine.id)).labels).toSorted()).toEqual(names.toSorted())
  const more = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`more-${index}`, 'y']))
  expect(await codeOf(() => client.machines.label(machine.id, more))).toBe('validation')
  expect(await codeOf(() => client.machines.label(machine.id, { 'no label': 'x' }))).toBe('validation')
  expect(Object.keys((await client.machines.get(machine.id)).labels)).toHaveLength(30)
})
