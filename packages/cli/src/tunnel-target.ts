import { CmdopError } from '@cmdop/protocol'

/** A port of a machine. */
export interface TunnelTarget {
  /** Id, hostname, name or unique prefix. */
  readonly machine: string
  /** As seen from the machine; without brackets. */
  readonly host: string
  readonly port: number
}

/** Reads `<machine>:<port>` and `<machine>:<host>:<port>`, an IPv6 address in brackets. Throws `config`. */
export function parseTunnelTarget(text: string): TunnelTarget {
  const [, machine, host, port] = /^([^:]+):(?:(\[[^\]]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(text) ?? []
  const number = Number(port)
  if (machine === undefined || !(number >= 1 && number <= 65_535))
    throw new CmdopError('config', `Expected <machine>:<port> or <machine>:<host>:<port>, got "${text}".`)
  return { machine, host: (host ?? '127.0.0.1').replaceAll(/^\[|\]$/g, ''), port: number }
}
