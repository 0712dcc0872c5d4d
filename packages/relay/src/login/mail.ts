import { createTransport } from 'nodemailer'
import type { RelayConfig } from '../config.ts'

/** Milliseconds for the mail server to take a mail. */
const SEND_WITHIN_MS = 20_000

/** Sends sign-in codes. */
export interface CodeMailer extends Disposable {
  send(to: string, code: string): Promise<void>
}

/** Through the mail server of the settings. Neither it nor its errors are given the code to log. */
export function createCodeMailer({ url, from }: NonNullable<RelayConfig['smtp']>): CodeMailer {
  const timeouts = { connectionTimeout: SEND_WITHIN_MS, greetingTimeout: SEND_WITHIN_MS, socketTimeout: SEND_WITHIN_MS }
  const transport = createTransport({
    url,
    ...timeouts,
    logger: false,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    send: async (to, code) => {
      const text = `Your code for CMDOP: ${code}\n\nIt is good for ten minutes, and once. If you did not ask for it, ignore this mail.\n`
      await transport.sendMail({ from, to, subject: 'Your sign-in code', text })
    },
    [Symbol.dispose]: () => transport.close(),
  }
}
