import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/** Path of the one endpoint. */
export const mcpPath = '/mcp'

/** Why a request is not answered. */
export interface Refusal {
  readonly status: 401 | 403 | 404
  readonly message: string
}

/** Whom a server answers. */
export interface GuardOptions {
  readonly token: string
  /** Names and addresses under which clients may call the server. */
  readonly hosts: ReadonlySet<string>
}

/**
 * Why a request is refused; undefined: it may pass. A web page that had its name point here (DNS rebinding) shows by `Host`,
 * and any other by `Origin`; both are looked at before the token.
 */
export function refusalOf({ headers, url = '' }: IncomingMessage, { token, hosts }: GuardOptions): Refusal | undefined {
  const { host = '', origin, authorization = '' } = headers
  const called = URL.parse(`http://${host}`)
  if (called === null || !hosts.has(called.hostname)) {
    return { status: 403, message: 'This server is not called by that Host. Allow it with --allow-host.' }
  }
  if (origin !== undefined && URL.parse(origin)?.host !== called.host) {
    return { status: 403, message: 'Web pages of another Origin may not call this server.' }
  }
  if (url.split('?', 1)[0] !== mcpPath) return { status: 404, message: `The endpoint is ${mcpPath}.` }
  const [, given = ''] = /^Bearer +(\S+)$/i.exec(authorization) ?? []
  if (isSame(given, token)) return undefined
  return {
    status: 401,
    message: 'Send the token of this server: Authorization: Bearer <token>. It was shown when the server started.',
  }
}

/** Whether only this computer reaches an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** What stands in `Host` for the server at an address. */
export function hostNames(host: string, more: readonly string[]): Set<string> {
  const loopback = isLoopback(host) ? ['localhost', '127.0.0.1', '[::1]'] : []
  return new Set([
    isIP(host) === 6 ? `[${host}]` : host.toLowerCase(),
    ...loopback,
    ...more.map((each) => each.toLowerCase()),
  ])
}

/** Takes the same time for every wrong token. */
function isSame(one: string, other: string): boolean {
  const [left, right] = [one, other].map((text) => createHash('sha256').update(text).digest()) as [Buffer, Buffer]
  return timingSafeEqual(left, right)
}
