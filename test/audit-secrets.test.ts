import { randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exportAndVerify } from './verified-export.ts'
import { watch } from './watch.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

test('no secret, PIN, key, file content or keystroke is in the database or in an export of the log', async () => {
  await using world = await startWorld()
  const canary = () => `canary${randomUUID().replaceAll('-', '')}`
  const [environment, stdin, typed, content, pin, argument] = Array.from({ length: 6 }, canary) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  const { client, handle } = world
  await handle.exec(['sh', '-c', 'cat >/dev/null; true "$0"', argument], { env: { TOKEN: environment }, stdin })
  await handle.files.write(join(await world.folder(), 'file'), content)
  await client.machines
    .ask(world.machine.id, 'Hello', { pin })
    .collect()
    .catch(() => {})
  const issued = await client.keys.issue({ name: 'robot' })
  const session = await handle.sessions.open({ shell: 'sh' })
  const { id: sessionId } = session
  const attachment = await session.attach()
  const line = `: ${typed}\n`
  await attachment.write(line)
  await watch(attachment).until(typed)
  await attachment.detach()

  // Who typed how much, and never what.
  const typing = await waitFor('the attachment has ended', async () => {
    const { items } = await client.audit.getLogs({ action: 'session.attach', sessionId, kind: 'outcome' })
    return items[0]
  })
  const { principalId } = await client.me()
  expect(typing).toMatchObject({ principalId, bytes: line.length, offset: 0 })
  const [piped] = (await client.audit.getLogs({ action: 'exec', kind: 'outcome' })).items
  expect(piped).toMatchObject({ bytes: stdin.length, offset: 0 })
  const asked = (await client.audit.getLogs({ action: 'ask' })).items
  expect(asked.map(({ bytes }) => bytes)).toEqual(asked.map(() => null))

  const { text, result } = await exportAndVerify(client)
  expect(result.ok).toBe(true)
  const names = (await readdir(world.relay.dataDir)).filter((name) => name.startsWith('relay.sqlite'))
  const files = await Promise.all(names.map((name) => readFile(join(world.relay.dataDir, name), 'latin1')))
  const whole = [text, ...files].join('\n')
  expect(whole).toContain(sessionId)
  const secrets = { environment, stdin, typed, content, pin, key: issued.rawToken.slice(-43) }
  expect(Object.entries(secrets).filter(([, secret]) => whole.includes(secret))).toEqual([])
  // The list of recordings names commands by their arguments; the audit log has no more than their digest.
  expect(text).not.toContain(argument)
})
