import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Secret, TOTP } from 'otpauth'
import { expect, test } from 'vitest'
import { invitePerson } from './people.ts'
import { startWorld } from './world.ts'

test('The files of a relay’s database hold no secret of an authenticator or a webhook, and both go on after a start', async () => {
  await using world = await startWorld({ machines: 0 })
  const ann = await invitePerson(world, 'ann')
  const { secret } = await ann.client.login.setUpTotp()
  const totp = new TOTP({ secret: Secret.fromBase32(secret) })
  await ann.client.login.confirmTotp(totp.generate({ timestamp: Date.now() - 30_000 }))
  const url = 'http://127.0.0.1:9/services/ofthepath'
  const webhook = await world.client.webhooks.create({ url })
  // 32 bytes of it, in which there may be underscores.
  const shown = webhook.secret.slice(-43)
  await world.relay.restart()
  const names = (await readdir(world.relay.dataDir)).filter((name) => /^relay\.sqlite(-|$)/.test(name))
  expect(names.length).toBeGreaterThan(1)
  const bytes = Buffer.from(Secret.fromBase32(secret).bytes)
  for (const name of names) {
    const content = await readFile(join(world.relay.dataDir, name))
    const searched = [bytes, bytes.toString('hex'), secret, shown, Buffer.from(shown, 'base64url'), 'ofthepath']
    for (const each of searched) expect(content.includes(each)).toBe(false)
  }
  const { code } = await world.client.members.code(ann.id)
  await world.client.login.signIn({ email: ann.email, code, totp: totp.generate() })
  expect((await world.client.webhooks.list()).map(({ id }) => id)).toEqual([webhook.id])
})
