import { access } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import type { Client, AuditLog } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addFleet } from './fleets.ts'
import { exportAndVerify } from './verified-export.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let audit: Client['audit']
beforeAll(async () => {
  world = await startWorld({ relay: { heartbeatMs: 50 } })
  audit = world.client.audit
})
afterAll(() => world[Symbol.asyncDispose]())

/** Intent and outcome of a call, the oldest first, once both are there. */
const rowsOf = (callId: string) =>
  waitFor('intent and outcome are written', async () => {
    const { items } = await audit.getLogs({ callId, order: 'oldest' })
    return items.some(({ kind }) => kind === 'outcome') && items
  })

describe('the audit log', () => {
  test('says who did what with which key, on which machine, and how it ended', async () => {
    const { rawToken: token, id: keyId } = await world.client.keys.issue({ name: 'robot', kind: 'ai' })
    const client = world.connect({ token })
    const execution = (await client.machine(world.machine.id)).exec('exit 3')
    await execution
    const { principalId } = await client.me()
    const { principalId: owner } = await world.client.me()
    const [intent, outcome] = await rowsOf(execution.callId)
    const who = { principalId, principalKind: 'ai', principalName: 'robot', onBehalfOf: owner, keyId }
    expect(intent).toMatchObject({ ...who, kind: 'intent', action: 'exec', decision: 'allow', chain: 'main' })
    expect(outcome).toMatchObject({ ...who, kind: 'outcome', intentId: intent?.id, exitCode: 3, code: null })
    const [issued] = (await audit.getLogs({ subject: `key:${keyId}` })).items
    expect(issued).toMatchObject({ action: 'key.issue', kind: 'outcome', principalId: owner })
  })

  test('has a row for what was refused', async () => {
    const { rawToken: token } = await world.client.keys.issue({ name: 'viewer', role: 'viewer' })
    const client = world.connect({ token })
    await expect((await client.machine(world.machine.id)).exec('true')).rejects.toMatchObject({ code: 'permission' })
    await expect(client.audit.getLogs()).rejects.toMatchObject({ code: 'permission' })
    await expect(client.keys.issue({ name: 'more' })).rejects.toMatchObject({ code: 'permission' })
    const { principalId } = await client.me()
    const { items } = await audit.getLogs({ principalId, decision: 'deny', code: 'permission' })
    expect(items.map(({ action }) => action)).toEqual(['key.issue', 'audit.read', 'exec'])
  })

  test('finds rows by what they say and when, and every reading is a row', async () => {
    const since = new Date()
    await world.handle.files.list('/etc')
    await world.handle.files.stat('/etc')
    const { machine } = world
    const found = await waitFor('both have ended', async () => {
      const { items } = await audit.getLogs({ action: 'file.*', machineId: machine.id, kind: 'outcome', since })
      return items.length === 2 && items
    })
    expect(found.map(({ action }) => action)).toEqual(['file.stat', 'file.list'])
    expect((await audit.getLogs({ action: 'file.*', until: since })).items).toEqual([])
    const { items: readings } = await audit.getLogs({ action: 'audit.read', kind: 'outcome', since })
    expect(readings.length).toBeGreaterThanOrEqual(2)
    expect(readings[0]).toMatchObject({ subject: 'audit:rows', code: null })
    const [{ intentId } = { intentId: null }] = readings
    const both = await audit.getLogs({ intentId: intentId ?? '' })
    expect(both.items.map(({ kind }) => kind)).toEqual(['outcome', 'intent'])
  })

  test('is read in pages without a gap, in both directions', async () => {
    const until = new Date()
    for (const order of ['newest', 'oldest'] as const) {
      const whole = (await audit.getLogs({ order, until, limit: 1000 })).items
      const paged = await Array.fromAsync(audit.iter({ order, until, limit: 3 }))
      expect(paged).toEqual(whole)
      expect(whole.length).toBeGreaterThan(3)
    }
  })

  test('refuses a filter that it does not know', async () => {
    const headers = { authorization: `Bearer ${world.relay.firstKey}` }
    for (const path of ['', '/export', '/events']) {
      const answer = await fetch(`${world.relay.url}/api/audit${path}?agenttype=terminal`, { headers })
      expect(answer.status).toBe(422)
    }
  })

  test('is not shown to another fleet', async () => {
    const other = await addFleet(await world.openStore())
    const stranger = world.connect({ token: other.raw })
    const { fleetId } = await stranger.me()
    expect(new Set((await stranger.audit.getLogs()).items.map((row) => row.fleetId))).toEqual(new Set([fleetId]))
    const { rows, result } = await exportAndVerify(stranger)
    expect(result).toMatchObject({ ok: true, fleetId })
    expect(new Set(rows.map((row) => row.fleetId))).toEqual(new Set([fleetId]))
  })
})

describe('an export', () => {
  test('is the log as it was hashed, and proves itself', async () => {
    const { rows, result } = await exportAndVerify(world.client)
    expect(result).toMatchObject({ ok: true, relayId: world.relay.relayId, begins: 0 })
    expect(rows[0]).toMatchObject({ action: 'relay.start', chain: 'main', sequence: 1 })
    const { items } = await audit.getLogs({ order: 'oldest', limit: 1000 })
    expect(items.slice(0, rows.length)).toEqual(rows)
  })

  test('shows that somebody has changed, or removed, a row in the database', async () => {
    await using other = await startWorld()
    for (let count = 0; count < 3; count += 1) await other.handle.exec('true')
    const [first] = (await other.client.audit.getLogs({ action: 'exec', order: 'oldest', limit: 1 })).items
    const sequence = first?.sequence ?? 0
    await exportAndVerify(other.client)
    using database = new DatabaseSync(join(other.relay.dataDir, 'relay.sqlite'))
    database.exec('drop trigger audit_no_update; drop trigger audit_no_delete')
    database.exec(`update audit set body = replace(body, '"exec"', '"facts"') where sequence = ${sequence}`)
    const changed = await exportAndVerify(other.client)
    expect(changed.result.firstProblem).toMatchObject({ kind: 'changed', chain: 'main', sequence })
    database.exec('delete from audit where sequence = 4')
    const removed = await exportAndVerify(other.client)
    expect(removed.result.firstProblem).toMatchObject({ kind: 'missing', chain: 'main', sequence: 4 })
  })

  test('with a filter says that it cannot be verified', async () => {
    const text = Buffer.concat(await Array.fromAsync(audit.export({ action: 'exec', decision: 'deny' }))).toString()
    const [first = '', ...lines] = text.trimEnd().split('\n')
    expect(JSON.parse(first)).toEqual({ filtered: { action: 'exec', decision: 'deny' }, version: 1 })
    expect(lines).toHaveLength(1)
  })

  test('as CSV has a column for each field, and no cell that a spreadsheet runs', async () => {
    const { id } = await world.client.keys.issue({ name: '=cmd|"/c calc"!A1', role: 'viewer' })
    const { rawToken: token } = await world.client.keys.issue({ name: '=1+1, "x"', kind: 'service', role: 'admin' })
    await world.connect({ token }).keys.revoke(id)
    const pieces = await Array.fromAsync(audit.export({ format: 'csv', subject: `key:${id}`, action: 'key.revoke' }))
    const [header = '', ...lines] = Buffer.concat(pieces).toString().trimEnd().split('\r\n')
    expect(header.split(',')).toEqual(expect.arrayContaining(['at', 'action', 'principalName', 'chain', 'sequence']))
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain(`"key.revoke","allow",`)
    expect(lines[0]).toContain(`"'=1+1, ""x"""`)
  })
})

describe('following', () => {
  test('gives rows as they are written, and goes on after the relay was away', async () => {
    await using own = await startWorld()
    const stop = new AbortController()
    const seen: AuditLog[] = []
    const following = (async () => {
      for await (const row of own.client.audit.follow({ action: 'exec', signal: stop.signal })) seen.push(row)
    })()
    const ended = following.then(undefined, (error: unknown) => error)
    await waitFor('it follows', async () => {
      const { items } = await own.client.audit.getLogs({ subject: 'audit:events', kind: 'outcome' })
      return items.length > 0
    })
    const first = own.handle.exec('true')
    await first
    await waitFor('both rows came', () => seen.length === 2)
    await own.relay.restart()
    await own.whenOnline(own.machine)
    const second = own.handle.exec('true')
    await second
    await waitFor('four rows came', () => seen.length === 4)
    expect(seen.map(({ kind, callId }) => `${kind} ${callId}`)).toEqual(
      [first, second].flatMap(({ callId }) => [`intent ${callId}`, `outcome ${callId}`]),
    )
    stop.abort()
    expect(await ended).toMatchObject({ code: 'cancelled' })
  })
})

describe('an intent that cannot be written', () => {
  test('is refused as `unavailable`, and nothing happens', async () => {
    const file = join(await world.folder(), 'made')
    using database = new DatabaseSync(join(world.relay.dataDir, 'relay.sqlite'))
    database.exec(`create trigger full before insert on audit begin select raise(abort, 'disk is full'); end`)
    const refused = { code: 'unavailable', message: expect.stringContaining('audit log') }
    await expect(world.handle.exec(['touch', file])).rejects.toMatchObject(refused)
    await expect(world.handle.files.write(file, 'x')).rejects.toMatchObject(refused)
    await expect(world.client.keys.issue({ name: 'none of it' })).rejects.toMatchObject(refused)
    database.exec('drop trigger full')
    await expect(access(file)).rejects.toMatchObject({ code: 'ENOENT' })
    expect((await world.client.keys.list({ perPage: 500 })).items.map(({ name }) => name)).not.toContain('none of it')
    expect((await exportAndVerify(world.client)).result).toMatchObject({ ok: true })
  })
})
