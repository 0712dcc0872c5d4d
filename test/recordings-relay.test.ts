import { createHash } from 'node:crypto'
import { MAX_RECORDING_BYTES, type RecordingManifest, type RecordingSubject } from '@cmdop/protocol'
import type { Store } from '@cmdop/relay'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { addFleet, addPrincipalKey } from './fleets.ts'
import { permittedSubject, signedBy } from './signed-requests.ts'
import { startWorld, type World } from './world.ts'

let world: World
let store: Store
let send: Awaited<ReturnType<typeof signedBy>>
let stranger: Awaited<ReturnType<typeof signedBy>>
let subject: RecordingSubject
let path = ''
beforeAll(async () => {
  world = await startWorld({ machines: 2 })
  store = await world.openStore()
  const [machine, other] = world.machines
  if (machine === undefined || other === undefined) throw new Error('Expected two machines.')
  send = await signedBy(world, machine)
  stranger = await signedBy(world, other)
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  subject = await permittedSubject(store, world.machine.id)
  path = `/api/recordings/${subject.recordingId}`
})

const content = Buffer.from('{"version":2,"width":80,"height":24}\n[0.1,"o","hello"]\n')
const begin = () => send({ method: 'POST', path: '/api/recordings', body: subject })
const append = (offset: number, body: Uint8Array) =>
  send({ method: 'PUT', path: `${path}/content?offset=${offset}`, body })
const finish = (change: Partial<RecordingManifest> = {}) =>
  send({ method: 'PUT', path: `${path}/manifest`, body: { ...manifestOf(subject, content), ...change } })

function manifestOf({ recordingId }: RecordingSubject, whole: Uint8Array): RecordingManifest {
  return {
    recordingId,
    bytes: whole.length,
    sha256: createHash('sha256').update(whole).digest('hex'),
    endedAt: new Date().toISOString(),
    durationMs: 1,
    exitCode: 0,
    integrity: 'complete',
  }
}

async function stored(): Promise<string> {
  const parts = await Array.fromAsync(world.client.recordings.content(subject.recordingId))
  return Buffer.concat(parts).toString()
}

describe('a recording that a machine sends', () => {
  test('can be read while it grows, and is complete once the bytes are those of the manifest', async () => {
    expect(await begin()).toMatchObject({ status: 200, json: { storedBytes: 0 } })
    await append(0, content.subarray(0, 20))
    expect(await world.client.recordings.get(subject.recordingId)).toEqual({
      ...subject,
      state: 'open',
      storedBytes: 20,
      manifest: null,
    })
    expect(await stored()).toBe(content.toString().slice(0, 20))
    expect((await append(20, content.subarray(20))).json.storedBytes).toBe(content.length)
    expect((await finish()).status).toBe(200)
    expect(await world.client.recordings.get(subject.recordingId)).toMatchObject({ state: 'complete' })
    expect(await stored()).toBe(content.toString())
  })

  test('may send everything twice, and is stored once', async () => {
    for (let time = 0; time < 2; time += 1) {
      await begin()
      for (let again = 0; again < 2; again += 1) await append(0, content.subarray(0, 30))
      await append(10, content.subarray(10))
      await finish()
    }
    // After its end nothing is added.
    expect(await append(content.length, Buffer.from('more'))).toMatchObject({ json: { storedBytes: content.length } })
    expect(await stored()).toBe(content.toString())
  })

  test('with a gap is a conflict that says where to go on', async () => {
    await begin()
    await append(0, content.subarray(0, 10))
    const answer = await append(11, content.subarray(11))
    expect(answer).toMatchObject({ status: 409, json: { error: { code: 'conflict', details: { storedBytes: 10 } } } })
    expect(await finish()).toMatchObject({ status: 409, json: { error: { details: { storedBytes: 10 } } } })
    expect(await world.client.recordings.get(subject.recordingId)).toMatchObject({ state: 'open', storedBytes: 10 })
  })

  test.each([
    ['another SHA-256', { sha256: 'ab'.repeat(32) }],
    ['fewer bytes', { bytes: 10 }],
    ['another recording', { recordingId: 'rec_00000000' }],
  ])('with a manifest of %s is damaged, and still there', async (_, change) => {
    await begin()
    await append(0, content)
    expect((await finish(change)).status).toBe(200)
    expect(await world.client.recordings.get(subject.recordingId)).toMatchObject({ state: 'damaged' })
    await finish()
    expect(await world.client.recordings.get(subject.recordingId)).toMatchObject({ state: 'damaged' })
    expect(await stored()).toBe(content.toString())
  })

  test('over its greatest length is refused', async () => {
    await begin()
    expect(await append(MAX_RECORDING_BYTES, content)).toMatchObject({ json: { error: { code: 'no_space' } } })
    const much = await append(0, Buffer.alloc(600 * 1024))
    expect(much).toMatchObject({ json: { error: { code: 'frame_too_large' } } })
  })

  test('may come with others in a batch, each checked', async () => {
    const other = await permittedSubject(store, world.machine.id)
    const batch = {
      batchId: `bat_${createHash('md5').update(subject.recordingId).digest('hex')}`,
      items: [
        { subject, manifest: manifestOf(subject, content), content: content.toString() },
        { subject: other, manifest: { ...manifestOf(other, content), sha256: 'cd'.repeat(32) }, content: 'damaged' },
      ],
    }
    for (let time = 0; time < 2; time += 1)
      expect(await send({ method: 'POST', path: '/api/recordings/batch', body: batch })).toMatchObject({ status: 200 })
    expect(await stored()).toBe(content.toString())
    expect(await world.client.recordings.get(subject.recordingId)).toMatchObject({ state: 'complete' })
    expect(await world.client.recordings.get(other.recordingId)).toMatchObject({ state: 'damaged', storedBytes: 7 })
  })
})

describe('a machine', () => {
  test('cannot record for another one, nor read or write what another one recorded', async () => {
    await begin()
    const own = await permittedSubject(store, world.machines[1]?.id ?? '')
    for (const body of [subject, { ...own, machineId: subject.machineId }, { ...subject, machineId: own.machineId }]) {
      const answer = await stranger({ method: 'POST', path: '/api/recordings', body })
      expect(answer).toMatchObject({ status: 403, json: { error: { code: 'permission' } } })
    }
    const put = await stranger({ method: 'PUT', path: `${path}/content?offset=0`, body: content })
    const end = await stranger({ method: 'PUT', path: `${path}/manifest`, body: manifestOf(subject, content) })
    expect([put.status, end.status]).toEqual([404, 404])
    expect(await world.client.recordings.get(subject.recordingId)).toMatchObject({ state: 'open', storedBytes: 0 })
  })

  test('cannot record what it was not permitted, under another id, nor as somebody else', async () => {
    const wrong: Partial<RecordingSubject>[] = [
      { intentId: 'aud_unknown1', recordingId: 'rec_unknown1' },
      { recordingId: 'rec_00000000' },
      { principalId: 'prn_other' },
      { subjectId: 'call_other' },
      { fleetId: 'flt_other' },
    ]
    for (const change of wrong) {
      const answer = await send({ method: 'POST', path: '/api/recordings', body: { ...subject, ...change } })
      expect(answer).toMatchObject({ status: 403, json: { error: { code: 'permission' } } })
    }
  })

  test('is believed only what it signed, and only near its time', async () => {
    const request = { method: 'POST', path: '/api/recordings', body: subject }
    const late = 6 * 60_000
    const changes = [
      { change: { body: Buffer.from(JSON.stringify({ ...subject, title: 'another' })) } },
      { change: { path: '/api/recordings/batch' } },
      { change: { machineId: world.machines[1]?.id ?? '' } },
      { change: { machineId: 'mch_unknown' } },
      { timestamp: Date.now() - late },
      { timestamp: Date.now() + late },
    ]
    for (const change of changes) expect((await send({ ...request, ...change })).status).toBe(401)
    const plain = await fetch(`${world.relay.url}/api/recordings`, {
      method: 'POST',
      headers: { authorization: `Bearer ${world.relay.firstKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(subject),
    })
    expect(plain.status).toBe(401)
    expect((await send(request)).status).toBe(200)
  })
})

describe('recordings', () => {
  test('of another fleet are not found, nor listed', async () => {
    await begin()
    await append(0, content)
    const { raw: token } = await addFleet(store)
    const { recordings } = world.connect({ token })
    const refused = { code: 'not_found' }
    await expect(recordings.get(subject.recordingId)).rejects.toMatchObject(refused)
    await expect(recordings.get(subject.subjectId)).rejects.toMatchObject(refused)
    await expect(recordings.content(subject.recordingId).next()).rejects.toMatchObject(refused)
    expect(await recordings.list()).toMatchObject({ items: [], hasMore: false })
  })

  test('need the right to read them, and who read one is in the audit log', async () => {
    await begin()
    await append(0, content)
    const { raw: token, id } = await addPrincipalKey(store, subject.fleetId, { role: 'member' })
    const { recordings } = world.connect({ token })
    await Array.fromAsync(recordings.events(subject.recordingId))
    const rows = await store.audit.list(subject.fleetId, { limit: 9, callId: subject.subjectId })
    const key = await store.keys.get(id)
    expect(rows.at(-1)?.row).toMatchObject({
      action: 'recording.read',
      principalId: key?.principalId,
      decision: 'allow',
    })
  })

  test('are listed by machine, kind, session or call, the newest first, page by page', async () => {
    const subjects = [subject]
    for (const second of [1, 2, 3]) {
      const startedAt = new Date(Date.UTC(2040, 0, 1) + second * 1000).toISOString()
      subjects.push({ ...(await permittedSubject(store, world.machine.id)), kind: 'session', startedAt })
    }
    for (const each of subjects) await send({ method: 'POST', path: '/api/recordings', body: each })
    const { recordings } = world.client
    const ids = subjects.map(({ recordingId }) => recordingId)
    const pages = await Array.fromAsync(recordings.pages({ kind: 'session', machineId: world.machine.id, limit: 2 }))
    expect(pages.map(({ items }) => items.map(({ recordingId }) => ids.indexOf(recordingId)))).toEqual([[3, 2], [1]])
    expect((await recordings.get(subject.subjectId)).recordingId).toBe(subject.recordingId)
    await expect(recordings.list({ cursor: 'x' })).rejects.toMatchObject({ code: 'validation' })
  })

  test('are given in parts, from an offset', async () => {
    await begin()
    await append(0, content)
    const get = async (query: string) => {
      const headers = { authorization: `Bearer ${world.relay.firstKey}` }
      return (await fetch(`${world.relay.url}${path}/content${query}`, { headers })).text()
    }
    expect(await get('')).toBe(content.toString())
    expect(await get('?offset=5&length=4')).toBe(content.toString().slice(5, 9))
    expect(await get('?offset=9999')).toBe('')
  })
})
