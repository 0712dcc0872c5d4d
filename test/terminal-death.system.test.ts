import { expect, test } from 'vitest'
import { watch } from './watch.ts'
import { startWorld } from './world.ts'

test('a session whose daemon was killed ends as lost for who is attached', async () => {
  await using world = await startWorld({ separateProcesses: true })
  const session = await world.handle.sessions.open({ shell: 'sh' })
  await using attachment = await session.attach()
  const seen = watch(attachment)
  await seen.next('snapshot')
  await world.machine.kill()
  await world.machine.restart()
  expect(await seen.end()).toMatchObject({ state: 'lost', endReason: 'lost' })
})

test('a restart of the relay is a lost connection like any other', async () => {
  await using world = await startWorld({ separateProcesses: true })
  const session = await world.handle.sessions.open({ shell: 'sh', env: { PS1: '' } })
  await using attachment = await session.attach()
  const seen = watch(attachment)
  await seen.next('snapshot')
  await world.relay.restart()
  await attachment.write('echo st""ill\n')
  await seen.until('still\r\n')
  expect(seen.events.filter(({ type }) => type === 'snapshot')).toHaveLength(1)
})
