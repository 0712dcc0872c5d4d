import { CmdopError } from '@cmdop/protocol'
import { lineOf } from './line.ts'
import type { Sink } from './sink.ts'

/** Posts the line as JSON; every answer but 2xx is a failure. */
export function webhookSink(url: URL): Sink {
  return {
    send: async (checkpoint, signal) => {
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(url, { method: 'POST', headers, body: lineOf(checkpoint), signal, redirect: 'error' })
      await answer.body?.cancel()
      if (!answer.ok) throw new CmdopError('connection', `${url.host} answered with HTTP ${answer.status}.`)
    },
  }
}
