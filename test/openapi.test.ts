import { access } from 'node:fs/promises'
import { ErrorBody, errorCodes, isErrorCode } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type AskedWorld, startAsked } from './asked-world.ts'
import { type Changes, prepareChanges, sendChange } from './changes.ts'
import { answersOfModel, liveChanges } from './live-changes.ts'
import { invitePerson } from './people.ts'
import { ranOnce } from './schedule-runs.ts'
import { someIds } from './some-ids.ts'
import type { World } from './world.ts'

type JsonSchema = Parameters<typeof z.fromJSONSchema>[0]

const Parameter = z.looseObject({
  name: z.string(),
  in: z.string(),
  schema: z.looseObject({ type: z.unknown().optional(), enum: z.unknown().optional() }),
})
const Content = z.looseObject({
  content: z.record(z.string(), z.looseObject({ schema: z.unknown().optional() })).optional(),
})
const Operation = z.looseObject({
  security: z.array(z.record(z.string(), z.unknown())).optional(),
  parameters: z.array(Parameter).default([]),
  requestBody: z.unknown().optional(),
  responses: z.record(z.string(), Content),
})
const Document = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), Operation)) })

/** Queries without which a read is refused. */
const queries: Record<string, string> = { '/api/machines/resolve': '?ref=machine-0' }

/** What is not called with success here: the machine signs it. The test that does. */
const ofMachines: Record<string, string> = {
  'POST /api/machines/{machine}/key': 'machine-key.test.ts',
  'POST /api/machines/{machine}/key/confirm': 'machine-key.test.ts',
  'POST /api/recordings': 'recordings-relay.test.ts',
  'POST /api/recordings/batch': 'recordings-relay.test.ts',
  'PUT /api/recordings/{recording}/content': 'recordings-relay.test.ts',
  'PUT /api/recordings/{recording}/manifest': 'recordings-relay.test.ts',
}

/** What the others could not be called after, in this order. */
const last = ['DELETE /api/machines/{machine}', 'PUT /api/policy']

let asked: AskedWorld
let world: World
let changes: Changes
let ids: Record<string, string> = {}
let session = ''
const succeeded = new Set<string>()
let operations: { method: string; path: string; operation: z.output<typeof Operation> }[] = []
beforeAll(async () => {
  asked = await startAsked(answersOfModel, {
    relay: { smtp: { url: 'smtp://127.0.0.1:9', from: 'relay@example.com' } },
  })
  world = asked.world
  ids = await someIds(world)
  const { id: scheduleRun } = await ranOnce(world.client, ids['schedule'] ?? '')
  const ask = world.client.machines.ask(world.machine.id, 'Hello')
  await ask.collect()
  ids = { ...ids, scheduleRun, call: ask.callId }
  session = (await invitePerson(world, 'reader')).token
  changes = await prepareChanges(world)
  const { paths } = Document.parse(await (await fetch(`${world.relay.url}/api/openapi.json`)).json())
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
})
afterAll(() => asked[Symbol.asyncDispose]())

async function send(
  method: string,
  path: string,
  { body, token = world.relay.firstKey }: { body?: unknown; token?: string } = {},
) {
  const over = new AbortController()
  const answer = await fetch(`${world.relay.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: over.signal,
  })
  const type = answer.headers.get('content-type')?.split(';', 1)[0] ?? ''
  // What goes on for ever is left.
  const text = type === 'text/event-stream' ? '' : await answer.text()
  if (type === 'text/event-stream') over.abort()
  return { status: answer.status, type, text }
}

/** Of the machine itself, which signs its requests. */
const isOfMachines = ({ security }: z.output<typeof Operation>): boolean =>
  security?.some((scheme) => 'machine' in scheme) === true

/** The path with ids of what is there; a run of a schedule is another one than an operator's. */
const filled = (path: string): string =>
  path
    .replace('{schedule}/runs/{run}', '{schedule}/runs/{scheduleRun}')
    .replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? 'missing')

/** Throws when the answer is not one of those that the document says. */
function assertDocumented(
  operation: z.output<typeof Operation>,
  { status, type, text }: Awaited<ReturnType<typeof send>>,
) {
  const documented = operation.responses[String(status)]
  expect(documented, `${status} ${text.slice(0, 300)}`).toBeDefined()
  const schema = documented?.content?.['application/json']?.schema
  if (type !== 'application/json') return
  expect(schema, text.slice(0, 300)).toBeDefined()
  const read = z.fromJSONSchema(schema as JsonSchema).safeParse(JSON.parse(text))
  expect(read.error?.issues ?? []).toEqual([])
}

/** The one error body, with the status of its code. */
function codeIn({ status, text }: { status: number; text: string }): string {
  const { error } = ErrorBody.parse(JSON.parse(text))
  if (!isErrorCode(error.code)) throw new Error(`There is no code ${error.code}.`)
  expect(errorCodes[error.code].status).toBe(status)
  return error.code
}

describe('every operation of the OpenAPI document', () => {
  test('that reads answers what the document says', async () => {
    const reads = operations.filter(({ method, operation }) => method === 'GET' && !isOfMachines(operation))
    expect(reads.length).toBeGreaterThan(45)
    for (const { path, operation } of reads) {
      // Of people, who have signed in.
      const token = path === '/api/login/sessions' ? session : world.relay.firstKey
      const answer = await send('GET', `${filled(path)}${queries[path] ?? ''}`, { token })
      const title = `GET ${path}`
      expect([title, answer.status]).toEqual([title, 200])
      assertDocumented(operation, answer)
      succeeded.add(title)
    }
  })

  test('refuses a query of another shape, by a coded error', async () => {
    let asked = 0
    for (const { method, path, operation } of operations) {
      if (isOfMachines(operation)) continue
      for (const { name, schema, in: where } of operation.parameters) {
        if (where !== 'query' || (schema.enum === undefined && schema.type === 'string')) continue
        asked += 1
        const answer = await send(method, `${filled(path)}?${name}=%00nonsense`)
        expect([method, path, name, codeIn(answer)]).toEqual([method, path, name, 'validation'])
      }
    }
    expect(asked).toBeGreaterThan(30)
  })

  test('refuses a body of another shape, and one with a field that is not known', async () => {
    let asked = 0
    for (const { method, path, operation } of operations) {
      if (operation.requestBody === undefined || isOfMachines(operation)) continue
      for (const body of [['nonsense'], 7, { nonsense: true }]) {
        asked += 1
        const answer = await send(method, filled(path), { body })
        expect([method, path, body, codeIn(answer)]).toEqual([method, path, body, 'validation'])
      }
    }
    expect(asked).toBeGreaterThan(90)
  })

  test('refuses an id that is longer than any', async () => {
    for (const { method, path, operation } of operations) {
      if (!path.includes('{') || isOfMachines(operation)) continue
      const { status } = await send(method, path.replaceAll(/\{\w+\}/g, 'x'.repeat(2000)))
      expect([method, path, status >= 400 && status < 500]).toEqual([method, path, true])
    }
  })

  test('that changes something answers what the document says', async () => {
    const live = liveChanges(world)
    const { rotate: _, ways: still } = changes
    const ways = [...new Set([...Object.keys(still), ...Object.keys(live)])].toSorted((a, b) => rankOf(a) - rankOf(b))
    for (const way of ways) {
      const found = operations.find(({ method, path }) => `${method} ${path}` === way)
      const how = (await live[way]?.()) ?? still[way] ?? {}
      const answer = await sendChange(world, way, how)
      expect([way, answer.status < 300 ? '' : answer.text]).toEqual([way, ''])
      if (found === undefined) throw new Error(`The document has no ${way}.`)
      assertDocumented(found.operation, answer)
      succeeded.add(way)
    }
  })

  test('has been called with success here, or is by the test that is named', async () => {
    const all = operations.map(({ method, path }) => `${method} ${path}`)
    expect([...succeeded, ...Object.keys(ofMachines)].toSorted()).toEqual(all.toSorted())
    const signed = operations.filter(({ operation }) => isOfMachines(operation))
    expect(Object.keys(ofMachines).toSorted()).toEqual(signed.map(({ method, path }) => `${method} ${path}`).toSorted())
    for (const name of new Set(Object.values(ofMachines))) await access(new URL(name, import.meta.url))
  })
})

/** What ends something comes after what needs it. */
function rankOf(way: string): number {
  return last.includes(way) ? 2 + last.indexOf(way) : way.startsWith('DELETE ') ? 1 : 0
}
