import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { expect, test } from 'vitest'
import { createCodeMailer } from './mail.ts'

test('a code goes to its member by the mail server of the settings', async () => {
  const received = Promise.withResolvers<{ to: string[]; text: string }>()
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
        received.resolve({ to: session.envelope.rcptTo.map(({ address }) => address), text })
        done()
      })
    },
    allowInsecureAuth: true,
  })
  const listening = server.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  {
    using mailer = createCodeMailer({ url: `smtp://relay:secret@127.0.0.1:${port}`, from: 'relay@example.com' })
    await mailer.send('ann@example.com', 'ABCD-EFGH')
  }
  const { to, text } = await received.promise
  expect(to).toEqual(['ann@example.com'])
  expect(text).toContain('ABCD-EFGH')
  expect(text).toContain('From: relay@example.com')
  await new Promise<void>((resolve) => server.close(resolve))
})
