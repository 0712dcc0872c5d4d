import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, isIPv6 } from 'node:net'
import { hostname } from 'node:os'
import type { AuditCheckpointRow } from '../../store/audit-store.ts'
import { lineOf } from './line.ts'
import type { Sink } from './sink.ts'

export interface SyslogAddress {
  readonly transport: 'udp' | 'tcp'
  readonly host: string
  readonly port: number
}

/** Facility 13 (log audit), severity 5 (notice): https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1 */
const PRIORITY = 13 * 8 + 5

/** Sends RFC 5424 messages: one a datagram (RFC 5426), or with their length in front over TCP (RFC 6587). */
export function syslogSink({ transport, host, port }: SyslogAddress): Sink {
  return {
    send: async (checkpoint, signal) => {
      const message = Buffer.from(syslogMessage(checkpoint))
      if (transport === 'udp') {
        const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
        try {
          await new Promise<void>((resolve, reject) =>
            socket.send(message, port, host, (error) => (error === null ? resolve() : reject(error))),
          )
        } finally {
          socket.close()
        }
        return
      }
      const socket = connect({ host, port })
      try {
        await once(socket, 'connect', { signal })
        socket.end(Buffer.concat([Buffer.from(`${message.length} `), message]))
        await once(socket, 'finish', { signal })
      } finally {
        socket.destroySoon()
      }
    },
  }
}

/** `<109>1 time host cmdop - audit-checkpoint [cmdop@32473 ...] {"checkpoint":...}` */
export function syslogMessage(checkpoint: AuditCheckpointRow): string {
  const { fleetId, number } = checkpoint
  // 32473 is the number for examples (RFC 5612): the project has none of its own.
  const data = `[cmdop@32473 fleet="${fleetId.replace(/["\\\]]/g, '\\$&')}" number="${number}"]`
  const host = hostname().replace(/[^!-~]/g, '') || '-'
  return `<${PRIORITY}>1 ${new Date().toISOString()} ${host} cmdop - audit-checkpoint ${data} ${lineOf(checkpoint)}`
}
