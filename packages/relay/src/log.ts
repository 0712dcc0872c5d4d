import { type Logger, pino } from 'pino'
import { pathOf } from './http/app.ts'

/** The relay's log: JSON lines on stderr. Credentials are cut out, wherever they appear; queries are never logged. */
export function createLogger(level: string): Logger {
  return pino(
    {
      name: 'cmdop-relay',
      level,
      redact: {
        paths: [
          '*.authorization',
          '*.token',
          '*.raw_token',
          '*.ticket',
          '*.secret',
          '*.headers.authorization',
          '*.headers["x-api-key"]',
          'token',
          'raw_token',
        ],
        censor: '[redacted]',
      },
      serializers: {
        req: (request: { method?: string; url?: string; ip?: string; id?: string }) => ({
          method: request.method,
          path: pathOf(request.url ?? ''),
          remoteAddress: request.ip,
        }),
      },
    },
    pino.destination({ dest: 2, sync: false }),
  )
}
