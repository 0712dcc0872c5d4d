import type { IncomingMessage } from 'node:http'

/** What is between two neighbours only (RFC 9110, 7.6.1), and what the relay answers itself. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
])

/** What nobody may call something between neighbours: without it the request would be another one. */
const NEVER_DROPPED = ['content-length', 'transfer-encoding', 'host', 'cookie', 'authorization']

/** What the relay says of the visitor; what the visitor says of itself there is worth nothing. */
const OURS = /^(?:x-forwarded-.*|forwarded|x-real-ip)$/

/** Cookies of the relay's own pages. */
const RELAY_COOKIE = /^\s*(?:__host-|__secure-)?cmdop_/i

/** A key of the relay, which no target is to see. */
const RELAY_KEY = /\bcmdop_[a-z]+_[a-z0-9]{8,32}_[a-z0-9_-]{43}/i

/** What the target is told of who comes, and how. */
export interface Visit {
  readonly address: string
  readonly protocol: 'http' | 'https'
  /** The relay has checked who it is: what was shown for that goes no further. */
  readonly isChecked: boolean
  /** The protocol that the connection is to change to, as `websocket`. */
  readonly upgrade?: string | undefined
}

/** Names and values in turn, as they came. */
type Flat = readonly string[]

/** The headers of a request as they go to the target. Names keep their letter case, and repeated ones their order. */
export function requestHeaders(request: IncomingMessage, visit: Visit): string[] {
  const { rawHeaders, headers } = request
  const dropped = namedIn(headers.connection)
  const kept = pairsOf(rawHeaders).flatMap(([name, value]) => {
    const lower = name.toLowerCase()
    if (HOP_BY_HOP.has(lower) || dropped.has(lower) || OURS.test(lower)) return []
    if (lower === 'authorization' && (visit.isChecked || RELAY_KEY.test(value))) return []
    if (lower !== 'cookie') return [name, value]
    const cookies = value.split(';').filter((cookie) => !RELAY_COOKIE.test(cookie))
    return cookies.length === 0 ? [] : [name, cookies.join(';').trim()]
  })
  const host = headers.host ?? ''
  const forwarded = ['X-Forwarded-For', visit.address, 'X-Forwarded-Proto', visit.protocol, 'X-Forwarded-Host', host]
  const connection = visit.upgrade === undefined ? 'close' : 'Upgrade'
  const upgrade = visit.upgrade === undefined ? [] : ['Upgrade', visit.upgrade]
  const chunked = headers['transfer-encoding'] === undefined ? [] : ['Transfer-Encoding', 'chunked']
  return [...kept, ...forwarded, 'Connection', connection, ...upgrade, ...chunked]
}

/** The headers of an answer as they go to the visitor. */
export function answerHeaders({ rawHeaders, headers }: IncomingMessage): string[] {
  const dropped = namedIn(headers.connection)
  return pairsOf(rawHeaders).flatMap(([name, value]) => {
    const lower = name.toLowerCase()
    return HOP_BY_HOP.has(lower) || dropped.has(lower) ? [] : [name, value]
  })
}

/** Why a request is not passed on, in a word; undefined: it can be. What two servers could read in two ways is none. */
export function malformed({ rawHeaders, url = '', headers }: IncomingMessage): string | undefined {
  const names = pairsOf(rawHeaders).map(([name]) => name.toLowerCase())
  const count = (name: string) => names.filter((each) => each === name).length
  if (count('host') !== 1) return 'Expected one Host header.'
  if (count('content-length') > 1 || count('transfer-encoding') > 1) return 'Expected one length of the body.'
  if (count('content-length') === 1 && count('transfer-encoding') === 1) return 'Expected one length of the body.'
  if (headers['transfer-encoding'] !== undefined && headers['transfer-encoding'].toLowerCase() !== 'chunked')
    return 'Expected no transfer encoding but chunked.'
  const dropped = namedIn(headers.connection)
  if (NEVER_DROPPED.some((name) => dropped.has(name)))
    return 'Expected Connection to name no header of the request itself.'
  if (count('authorization') > 1) return 'Expected one Authorization header at most.'
  if (!url.startsWith('/') && url !== '*') return 'Expected a path.'
  return undefined
}

function namedIn(connection: string | undefined): Set<string> {
  return new Set((connection ?? '').split(',').map((name) => name.trim().toLowerCase()))
}

function pairsOf(flat: Flat): [string, string][] {
  const pairs: [string, string][] = []
  for (let index = 0; index + 1 < flat.length; index += 2) pairs.push([flat[index] ?? '', flat[index + 1] ?? ''])
  return pairs
}
