import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type ChangeAnswer, type Changes, prepareChanges, sendChange } from './changes.ts'
import { startWorld, type World } from './world.ts'

/** Ways that have no row of their own, and why. */
const WITHOUT_ROW = {
  'POST /api/policy/test': 'nothing is done',
  'POST /api/machines/ping': 'nothing is done',
  'POST /api/login/code': 'its answer is the same for every email; that no code is made is looked at below',
  'POST /api/runs/{run}/entries': 'steps of a run; its beginning and its end have rows',
  'POST /api/machines/{machine}/key/confirm': 'only says which key is used; the change has a row',
  'POST /api/recordings': 'the recording of what has rows already',
  'PUT /api/recordings/{recording}/content': 'the same',
  'POST /api/recordings/batch': 'the same',
  'PUT /api/recordings/{recording}/manifest': 'the same',
}

let world: World
let changes: Changes
beforeAll(async () => {
  world = await startWorld({ relay: { smtp: { url: 'smtp://127.0.0.1:9', from: 'relay@example.com' } } })
  changes = await prepareChanges(world)
})
afterAll(() => world[Symbol.asyncDispose]())

const Document = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })

async function changingWays(): Promise<string[]> {
  const { paths } = Document.parse(await (await fetch(`${world.relay.url}/api/openapi.json`)).json())
  return Object.entries(paths)
    .flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`))
    .filter((way) => !way.startsWith('GET '))
}

describe('what changes something, while no row of the audit log can be written', () => {
  test('is here whatever the relay offers', async () => {
    const known = [...Object.keys(changes.ways), ...Object.keys(WITHOUT_ROW), 'POST /api/machines/{machine}/key']
    expect(known.toSorted()).toEqual((await changingWays()).toSorted())
  })

  test('does not happen: everything is unavailable, and the database is as it was', async () => {
    using database = new DatabaseSync(join(world.relay.dataDir, 'relay.sqlite'))
    database.exec(`create trigger full before insert on audit begin select raise(abort, 'disk is full'); end`)
    const before = contentOf(database)
    const body = { email: 'ann@example.com' }
    const asked = outcome(await sendChange(world, 'POST /api/login/code', { token: null, body }))
    expect(asked).toEqual([202, undefined])
    const answers: Record<string, unknown> = {}
    for (const [way, how] of Object.entries(changes.ways)) answers[way] = outcome(await sendChange(world, way, how))
    const rotated = await changes.rotate()
    answers['POST /api/machines/{machine}/key'] = [rotated.status, rotated.json.error.code]
    expect(answers).toEqual(Object.fromEntries(Object.keys(answers).map((way) => [way, [503, 'unavailable']])))
    const after = contentOf(database)
    for (const table of Object.keys(before)) expect(after[table], table).toEqual(before[table])
    database.exec('drop trigger full')
  })
})

/** Everything but the audit log, and when a key or a machine was heard of last. */
function contentOf(database: DatabaseSync): Record<string, unknown[]> {
  const tables = database.prepare(`select name from sqlite_master where type = 'table'`).all()
  const names = tables.map(({ name }) => String(name)).filter((name) => !name.startsWith('audit'))
  return Object.fromEntries(
    names.map((name) => [
      name,
      database
        .prepare(`select * from "${name}"`)
        .all()
        .map(({ last_used_at: _used, last_seen_at: _seen, ...row }) => row),
    ]),
  )
}

function outcome({ status, json }: ChangeAnswer): [number, string | undefined] {
  return [status, json.error?.code]
}
