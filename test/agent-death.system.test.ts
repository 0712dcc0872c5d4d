import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newMark } from './marked.ts'
import { startChild } from './processes/child.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

test.each([
  ['its session is closed', false],
  ['the daemon is killed and started again', true],
])('nothing that was exported is left of an agent that was killed once %s', async (_, kills) => {
  await using world = await startWorld({ separateProcesses: kills })
  const mark = newMark()
  const { url: baseUrl, firstKey: token } = world.relay
  const commands = [`export TOKEN=value-of-${mark}`, `sleep 300 # ${mark}`]
  const settings = { baseUrl, token, machineId: world.machine.id, commands }
  const agent = await startChild('agent-process.ts', settings)
  const { sessionId } = await waitFor('the run has a session', async () =>
    (await world.handle.sessions.list()).find(({ kind }) => kind === 'run'),
  )
  const session = await world.handle.sessions.get(sessionId)
  const folder = session.folder ?? expect.fail('the session has no folder')
  const file = await waitFor('what was exported is kept', async () => (await readdir(folder))[0])
  await waitFor('all of it', async () => (await readFile(join(folder, file), 'utf8')).includes(`value-of-${mark}`))
  await agent.end('SIGKILL')
  if (kills) {
    await world.machine.kill()
    await world.machine.restart()
  } else await session.close()
  expect(existsSync(folder)).toBe(false)
  expect((await readdir('/tmp')).filter((name) => name === file)).toEqual([])
})
