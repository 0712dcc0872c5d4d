import { request } from 'node:http'
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { z } from 'zod'
import { addFleet, addSilentMachine } from './fleets.ts'
import { signerOf, type ToSign } from './signed-requests.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

/** In the other fleet's rows; nothing of it may ever be in an answer. */
const CANARY = 'canary4711'

/** Milliseconds after which an answer that goes on, such as events, is left. */
const LEAVE_AFTER_MS = 1500

/** Bytes of an answer that are looked at. */
const LOOKED_AT = 1_000_000

/** What a relay may say of itself. */
const FAULTS = new Set(['unavailable', 'timeout'])

const Operation = z.looseObject({
  parameters: z.array(z.looseObject({ name: z.string(), in: z.string() })).default([]),
  requestBody: z.looseObject({ content: z.record(z.string(), z.looseObject({ schema: z.unknown() })) }).optional(),
})
const Document = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), Operation)) })

/** A way to ask the relay for something. */
interface Way {
  readonly method: string
  readonly path: string
  readonly query: readonly string[]
  readonly schema: unknown
}

/** A request of the wrong kind, most of the time. */
interface Attempt {
  readonly way: Way
  readonly places: readonly string[]
  readonly query: readonly [string, string][]
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
  /** With the key of the machine, as it is when it is sent. */
  readonly signed: boolean
}

/** Sends `count` requests of wrong types, sizes, encodings and paths over the OpenAPI document of a relay. */
export async function fuzzApi(count: number): Promise<void> {
  // Who guesses codes is slowed down before anything else is looked at.
  await using world = await startWorld({ relay: { signInsPerMinute: 100_000 } })
  const known = await knownIds(world)
  const relay = { url: world.relay.url, sign: await signerOf(world.machine) }
  const ways = await readWays(world)
  expect(ways.length).toBeGreaterThan(20)
  const attempts = fc.asyncProperty(
    fc.array(attemptOf(ways, known), { minLength: 10, maxLength: 10 }),
    async (batch) => {
      const answers = await Promise.all(batch.map((attempt) => send(relay, attempt)))
      for (const [index, answer] of answers.entries()) assertSound(answer, batch[index] as Attempt)
    },
  )
  await fc.assert(attempts, { numRuns: Math.ceil(count / 10), endOnFailure: true })
  // It still works, for who asks rightly. One of the requests may have been right, and disabled the machine.
  await world.client.machines.enable(world.machine.id)
  const isOnline = async () => (await world.client.machines.get(world.machine.id)).presence === 'online'
  await waitFor('the machine has come back', isOnline, 60_000)
  expect(await world.handle.exec('echo still')).toMatchObject({ stdout: 'still\n' })
}

interface KnownIds {
  readonly ids: readonly string[]
  readonly keys: readonly string[]
}

async function knownIds(world: World): Promise<KnownIds> {
  const store = await world.openStore()
  const other = await addFleet(store, CANARY)
  const foreign = await addSilentMachine(store, other.fleetId, { name: `${CANARY}-machine` })
  const { fleetId } = await world.client.me()
  const viewer = await world.client.keys.issue({ name: 'viewer', role: 'viewer' })
  const ai = await world.client.keys.issue({ name: 'robot', kind: 'ai', role: 'member' })
  const service = await world.client.keys.issue({ name: 'service', kind: 'service', role: 'admin' })
  return {
    ids: [world.machine.id, fleetId, foreign, other.fleetId, other.id, viewer.id, world.machine.name],
    keys: [world.relay.firstKey, world.relay.firstKey, viewer.rawToken, ai.rawToken, service.rawToken],
  }
}

async function readWays(world: World): Promise<Way[]> {
  const answer = await fetch(`${world.relay.url}/api/openapi.json`)
  const { paths } = Document.parse(await answer.json())
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { parameters, requestBody }]) => ({
      method: method.toUpperCase(),
      path,
      query: parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name),
      schema: Object.values(requestBody?.content ?? {})[0]?.schema,
    })),
  )
}

function attemptOf(ways: readonly Way[], { ids, keys }: KnownIds): fc.Arbitrary<Attempt> {
  const place = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...ids) },
    fc.constantFrom(
      '../../etc/passwd',
      '..%2f..%2fetc',
      '%00',
      '%',
      '%c0%af',
      '.',
      '..',
      '',
      ' ',
      '\u202e',
      '__proto__',
      'constructor',
      "' or 1=1 --",
      'x'.repeat(9000),
    ),
    fc.string({ unit: 'binary', maxLength: 40 }),
  )
  const text = fc.oneof(
    fc.constantFrom('', '-1', '0', '1e309', 'NaN', 'null', 'true', '[]', '9'.repeat(40), '2026-13-45', 'bypass'),
    place,
  )
  const auth = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...keys).map((key) => `Bearer ${key}`) },
    fc.constantFrom(
      '',
      'Bearer',
      'Bearer x',
      `Basic ${'a'.repeat(300)}`,
      'Bearer cmdop_human_aaaaaaaa_' + 'b'.repeat(43),
    ),
  )
  return fc.constantFrom(...ways).chain((way) =>
    fc
      .record({
        places: fc.array(place, { minLength: 4, maxLength: 4 }),
        query: fc.array(
          fc.tuple(fc.oneof(fc.constantFrom(...way.query, 'limit', 'cursor'), fc.string({ maxLength: 8 })), text),
          { maxLength: 4 },
        ),
        auth,
        type: fc.constantFrom(
          'application/json',
          'application/json',
          'application/json',
          'text/plain',
          'application/xml',
          'application/json; charset=utf-16',
          '',
        ),
        lastEventId: fc.option(text, { freq: 8 }),
        body: bodyOf(way),
        signed: isOfMachines(way) ? fc.constantFrom(true, true, false) : fc.constantFrom(...signedNowAndThen),
      })
      .map(({ places, query, auth: authorization, type, lastEventId, body, signed }) => ({
        way,
        places,
        query,
        body,
        signed,
        headers: printableHeaders({
          authorization,
          ...(body === undefined ? {} : { 'content-type': type }),
          ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }),
        }),
      })),
  )
}

const signedNowAndThen = [true, ...Array.from({ length: 15 }, () => false)]

/** What machines send, each request signed with its key. */
function isOfMachines({ method, path }: Way): boolean {
  return method !== 'GET' && /recordings|\/key/.test(path)
}

/** Near to what is asked for, or far from it. */
function bodyOf({ method, schema }: Way): fc.Arbitrary<Buffer | undefined> {
  if (method === 'GET') return fc.constant(undefined)
  const near = schema === undefined ? fc.jsonValue() : nearTo(schema, 0)
  return fc.oneof(
    { weight: 6, arbitrary: near.map((value) => Buffer.from(JSON.stringify(value) ?? 'null')) },
    fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom('{', '[[[[', '{"__proto__":{"role":"owner"}}', '{"a":1,"a":2}', '"\\ud800"', '')
      .map((value) => Buffer.from(value)),
    fc.constant(Buffer.from(`[${'['.repeat(20_000)}`)),
    fc.constant(undefined),
  )
}

/** A value of the schema with something wrong in it, now and then. */
function nearTo(given: unknown, depth: number): fc.Arbitrary<unknown> {
  const schema = Object(given) as Record<string, unknown>
  const wrong = fc.oneof(
    fc.constantFrom(null, -1, 1e308, '', [], {}, true, 'x'.repeat(5000), '\u0000', '\ud800'),
    fc.jsonValue({ maxDepth: 2 }),
  )
  if (depth > 5) return wrong
  const options = (schema['anyOf'] ?? schema['oneOf']) as unknown[] | undefined
  const right =
    'const' in schema
      ? fc.constant(schema['const'])
      : Array.isArray(schema['enum'])
        ? fc.constantFrom(...(schema['enum'] as unknown[]))
        : options !== undefined && options.length > 0
          ? fc.oneof(...options.map((option) => nearTo(option, depth + 1)))
          : ofType(schema, depth)
  return fc.oneof({ weight: 12, arbitrary: right }, wrong)
}

function ofType(schema: Record<string, unknown>, depth: number): fc.Arbitrary<unknown> {
  switch (schema['type']) {
    case 'string':
      return fc.oneof(
        fc.string({ maxLength: 64 }),
        fc.constantFrom(
          'viewer',
          'owner',
          'a'.repeat(64),
          '00000000-0000-4000-8000-000000000000',
          new Date(0).toISOString(),
        ),
      )
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer({ min: 0, max: 100 }), fc.double())
    case 'boolean':
      return fc.boolean()
    case 'array':
      return fc.array(nearTo(schema['items'], depth + 1), { maxLength: 3 })
    case 'object': {
      const properties = Object.entries((schema['properties'] ?? {}) as Record<string, unknown>)
      const model = Object.fromEntries(properties.map(([name, property]) => [name, nearTo(property, depth + 1)]))
      return fc.record(model, { requiredKeys: [] })
    }
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

/** Node sends no header with control characters; what is left is sent as it is. */
function printableHeaders(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '')]),
  )
}

interface FuzzedRelay {
  readonly url: string
  readonly sign: (request: ToSign) => string
}

interface Answer {
  readonly status: number
  readonly text: string
}

/** By Node's own client, which takes paths as they are. Undefined: the relay hung up on what is no HTTP. */
function send(relay: FuzzedRelay, attempt: Attempt): Promise<Answer | undefined> {
  const { way, places, query, body } = attempt
  let place = 0
  const path = way.path.replaceAll(/\{\w+\}/g, () => encoded(places[place++ % places.length] ?? ''))
  const search = query.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join('&')
  const { hostname, port } = new URL(relay.url)
  const whole = `${path}${search === '' ? '' : `?${search}`}`
  const { method } = way
  const authorization = () => relay.sign({ method, path: whole, body: body ?? Buffer.alloc(0) })
  const headers = attempt.signed ? { ...attempt.headers, authorization: authorization() } : attempt.headers
  const answered = Promise.withResolvers<Answer | undefined>()
  const sent = request({ hostname, port, method, path: whole, headers, agent: false }, (response) => {
    let text = ''
    const status = response.statusCode ?? 0
    const end = () => answered.resolve({ status, text })
    const timer = setTimeout(() => sent.destroy(), LEAVE_AFTER_MS)
    response.setEncoding('latin1')
    response.on('data', (data: string) => {
      if (text.length < LOOKED_AT) text += data
    })
    response.on('end', end)
    response.on('error', end)
    response.on('close', () => {
      clearTimeout(timer)
      end()
    })
  })
  sent.on('error', () => answered.resolve(undefined))
  sent.end(body)
  return answered.promise
}

/** What stays within a request line, and is wrong in it all the same. */
function encoded(text: string): string {
  return text.replaceAll(/[^\w%.~'-]/g, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  )
}

function assertSound(answer: Answer | undefined, { way, places, query }: Attempt): void {
  if (answer === undefined) return
  const { status, text } = answer
  const shown = `${way.method} ${way.path} ${JSON.stringify({ places, query })}: ${status} ${text.slice(0, 500)}`
  const code = /"code":"(\w+)"/.exec(text)?.[1] ?? ''
  if (status >= 500 && !FAULTS.has(code)) expect.fail(`a fault: ${shown}`)
  if (/\n\s+at \S+ \(|node_modules|\.ts:\d+:\d+/.test(text)) expect.fail(`a stack: ${shown}`)
  if (text.includes(CANARY) && !JSON.stringify({ places, query }).includes(CANARY))
    expect.fail(`of another fleet: ${shown}`)
}
