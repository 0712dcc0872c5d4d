import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SMTPServer } from 'smtp-server'
import { expect, test } from 'vitest'
import { startRelay } from '../start-relay.ts'
import { createCodeMailer } from './mail.ts'

/** A mail server that takes mails of `relay` and keeps them. */
async function startMailServer() {
  const mails: { to: string[]; text: string }[] = []
  const arrived = new EventEmitter()
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    onAuth: ({ username = '', password = '' }, _session, done) => {
      if (username === 'relay' && password === 'secret') done(null, { user: username })
      else done(new Error('Wrong password.'))
    },
    onData: (stream, session, done) => {
      let text = ''
      stream.on('data', (part: Buffer) => (text += part.toString()))
      stream.on('end', () => {
        mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), text })
        arrived.emit('mail')
        done()
      })
    },
    allowInsecureAuth: true,
  })
  const listening = server.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  return {
    mails,
    arrived,
    url: `smtp://relay:secret@127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(resolve)),
  }
}

test('a code goes to its member by the mail server of the settings', async () => {
  await using server = await startMailServer()
  {
    using mailer = createCodeMailer({ url: server.url, from: 'relay@example.com' })
    await mailer.send('ann@example.com', 'ABCD-EFGH')
  }
  expect(server.mails).toMatchObject([{ to: ['ann@example.com'] }])
  expect(server.mails[0]?.text).toContain('ABCD-EFGH')
  expect(server.mails[0]?.text).toContain('From: relay@example.com')
})

test('who asks a relay for a code is sent one that lets him in, and an email that nobody has gets none', async () => {
  await using server = await startMailServer()
  const dataDir = await mkdtemp(join(tmpdir(), 'cmdop-mail-'))
  const smtp = { url: server.url, from: 'relay@example.com' }
  await using relay = await startRelay({ dataDir, port: 0, logLevel: 'silent', smtp })
  const post = async (path: string, body: unknown) =>
    await fetch(`${relay.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${relay.firstKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const me = await fetch(`${relay.url}/api/me`, { headers: { authorization: `Bearer ${relay.firstKey}` } })
  const { fleet_id: fleet } = (await me.json()) as { fleet_id: string }
  const email = 'ann@example.com'
  expect((await post(`/api/fleets/${fleet}/members`, { email })).status).toBe(201)
  const mail = once(server.arrived, 'mail')
  for (const asked of ['nobody@example.com', 'ANN@example.com']) {
    const answer = await post('/api/login/code', { email: asked })
    expect([answer.status, await answer.json()]).toEqual([202, { mail: true }])
  }
  await mail
  expect(server.mails).toMatchObject([{ to: [email] }])
  const code = /code for CMDOP: (\S+)/.exec(server.mails[0]?.text ?? '')?.[1]
  expect((await post('/api/login', { email, code })).status).toBe(200)
  const rows = await fetch(`${relay.url}/api/audit?action=login.code&order=oldest`, {
    headers: { authorization: `Bearer ${relay.firstKey}` },
  })
  // Of the email that nobody has there is none.
  const system = {
    principalId: 'system',
    action: 'login.code',
    subject: expect.stringMatching(/^member:prn_\w+ mail$/),
  }
  expect(((await rows.json()) as { items: unknown }).items).toMatchObject([
    { kind: 'intent', ...system },
    { kind: 'outcome', ...system },
  ])
  await rm(dataDir, { recursive: true })
})
