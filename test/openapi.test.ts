import { ErrorBody, errorCodes, isErrorCode } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Changes, prepareChanges, sendChange } from './changes.ts'
import { invitePerson } from './people.ts'
import { someIds } from './some-ids.ts'
import { startWorld, type World } from './world.ts'

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

/** Reads of what nobody has begun here. */
const nothingThere = [
  '/api/admin/machines/{machine}/ask/{call}',
  '/api/machines/{machine}/ask/{call}',
  '/api/fleets/{fleet}/schedules/{schedule}/runs/{run}',
]

/** Changes of what is not there here, or that the ones before them have made impossible, and what is answered. */
const refused: Record<string, string> = {
  'POST /api/admin/machines/{machine}/confirm': 'not_found',
  'POST /api/admin/machines/{machine}/pin': 'not_found',
  'POST /api/machines/{machine}/confirm': 'not_found',
  'POST /api/machines/{machine}/pin': 'not_found',
  'DELETE /api/admin/machines/{machine}/ask/{call}': 'not_found',
  'DELETE /api/machines/{machine}/ask/{call}': 'not_found',
  // The machine is disabled by then.
  'DELETE /api/admin/machines/{machine}/messages': 'not_found',
  'DELETE /api/machines/{machine}/messages': 'not_found',
  // The run has ended.
  'POST /api/fleet-runs/{run}/continue': 'conflict',
  'POST /api/fleet-runs/{run}/pause': 'conflict',
  'POST /api/fleet-runs/{run}/rows': 'conflict',
  'POST /api/fleets/{fleet}/schedules/{schedule}/runs/{run}/cancel': 'not_found',
  // The policy is strict by then.
  'POST /api/tunnels': 'policy_denied',
  'POST /api/totp/confirm': 'auth',
  'POST /api/totp/remove': 'auth',
  // The member is removed by then.
  'DELETE /api/login/sessions/{session}': 'auth',
  'DELETE /api/fleets/{fleet}/members/{user}/totp': 'not_found',
}

const SECOND_ASK = 'POST /api/admin/machines/{machine}/ask'

let world: World
let changes: Changes
let ids: Record<string, string> = {}
let session = ''
let operations: { method: string; path: string; operation: z.output<typeof Operation> }[] = []
beforeAll(async () => {
  world = await startWorld({ relay: { smtp: { url: 'smtp://127.0.0.1:9', from: 'relay@example.com' } } })
  ids = await someIds(world)
  session = (await invitePerson(world, 'reader')).token
  changes = await prepareChanges(world)
  const { paths } = Document.parse(await (await fetch(`${world.relay.url}/api/openapi.json`)).json())
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
})
afterAll(() => world[Symbol.asyncDispose]())

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

const filled = (path: string): string => path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? 'missing')

/** Throws when the answer is not one of those that the document says. */
function assertDocumented(
  operation: z.output<typeof Operation>,
  { status, type, text }: Awaited<ReturnType<typeof send>>,
) {
  const documented = operation.responses[String(status)]
  expect(documented, `${status} ${text.slice(0, 300)}`).toBeDefined()
  const schema = documented?.content?.['application/json']?.schema
  if (type !== 'application/json' || schema === undefined) return
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
      if (nothingThere.includes(path)) expect([title, codeIn(answer)]).toEqual([title, 'not_found'])
      else {
        expect([title, answer.status]).toEqual([title, 200])
        assertDocumented(operation, answer)
      }
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
    const codes: Record<string, string> = {}
    // What ends something comes last, so that the others have it.
    const ways = Object.entries(changes.ways).toSorted(([one], [other]) => endsOf(one) - endsOf(other))
    for (const [way, how] of ways) {
      const [method = '', path = ''] = way.split(' ')
      const found = operations.find((each) => each.method === method && each.path === path)
      const { status, json } = await sendChange(world, way, how)
      const failed = ErrorBody.safeParse(json)
      if (failed.success) codes[way] = failed.data.error.code
      else expect([way, ...Object.keys(found?.operation.responses ?? {})]).toContain(String(status))
    }
    // The ask before it may not have ended yet.
    if (codes[SECOND_ASK] === 'conflict') delete codes[SECOND_ASK]
    expect(codes).toEqual(refused)
  })
})

function endsOf(way: string): number {
  return way.startsWith('DELETE ') ? 1 : 0
}
