import type { AskFrame } from '@cmdop/core'
import { setMachinePin } from '@cmdop/machine'
import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runs, startAsked, until } from './asked-world.ts'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import { waitFor } from './wait-for.ts'
import type { World } from './world.ts'

/** An ask at the wire. */
function post({ relay, client, machine }: World, body: object): Promise<Response> {
  return fetch(`${relay.url}/api/admin/machines/${machine.id}/ask`, {
    method: 'POST',
    headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

const eventsOf = (text: string) =>
  Array.from(text.matchAll(/^id: (.*)\ndata: (.*)\n\n/gm), ([, id, data]) => ({ id, data }))

const mayExist = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  )

test('after a cut anywhere Last-Event-ID gives exactly the rest', async () => {
  await using asked = await startAsked([runs('seq 1 2000'), { text: 'Counted.' }])
  const { relay, client, machine } = asked.world
  const answer = await post(asked.world, { prompt: 'Count', call_id: 'call_counted' })
  expect(answer.headers.get('content-type')).toBe('text/event-stream')
  const whole = eventsOf(await answer.text())
  expect(whole.at(-1)?.data).toContain('"type":"done"')
  for (let cut = 0; cut <= whole.length; cut += 1) {
    const id = `call_counted.${cut}`
    const headers = { authorization: `Bearer ${client.token}`, 'last-event-id': id }
    const rest = await fetch(`${relay.url}/api/machines/${machine.id}/ask/call_counted`, { headers })
    expect([...whole.slice(0, cut), ...eventsOf(await rest.text())]).toEqual(whole)
  }
  const again = await post(asked.world, { prompt: 'Count', call_id: 'call_counted' })
  expect(again.status).toBe(409)
  expect(asked.server.requests).toHaveLength(2)
})

test('a client whose connection is cut again and again sees every frame once', async () => {
  const marks = [newMark(), newMark(), newMark()].map((mark) => `/tmp/${mark}`)
  await using asked = await startAsked([...marks.map((mark) => runs(`echo begun; ${until(mark)}`)), { text: 'Done.' }])
  await using proxy = await startTcpProxy(asked.world.relay.url)
  const { machines } = asked.world.connect({ baseUrl: proxy.url })
  const frames: AskFrame[] = []
  for await (const frame of machines.ask(asked.world.machine.id, 'Wait')) {
    frames.push(frame)
    if (frame.type !== 'event' || frame.event !== 'tool_output') continue
    proxy.cut()
    await writeFile(marks.shift() ?? '', '')
  }
  expect(marks).toEqual([])
  expect(frames.map(({ id }) => Number(id.split('.')[1]))).toEqual(frames.map((_, index) => index + 1))
  expect(frames.at(-1)).toMatchObject({ type: 'done', text: 'Done.' })
})

test('a stream that has nothing to say shows that it lives', async () => {
  const mark = `/tmp/${newMark()}`
  await using asked = await startAsked([runs(until(mark)), { text: 'Done.' }])
  const answer = await post(asked.world, { prompt: 'Wait' })
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while ((text.match(/^:$/gm) ?? []).length < 3) text += (await reader?.read())?.value ?? ''
  await writeFile(mark, '')
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) text += part.value
  expect(eventsOf(text).at(-1)?.data).toContain('"text":"Done."')
})

test('what nobody comes back to is ended, and leaves no session', async () => {
  const mark = newMark()
  await using asked = await startAsked([runs(`MARK=${mark} sleep 1000`)])
  const stop = new AbortController()
  const answer = await post(asked.world, { prompt: 'Wait', orphan_ms: 100 })
  void answer.body?.pipeTo(new WritableStream(), { signal: stop.signal }).catch(() => {})
  await whenRunning(mark)
  stop.abort()
  await whenGone(mark, 10_000)
  const { sessions } = asked.world.client
  await waitFor('its session is closed', async () => (await sessions.list()).items.length === 0)
})

test('without a relay the operator runs nothing more, and goes on when it is back', async () => {
  const [first, second] = [`/tmp/${newMark()}`, `/tmp/${newMark()}`]
  await using asked = await startAsked([runs(until(first)), runs(`echo ran > ${second}`), { text: 'Done.' }], {
    machines: 0,
  })
  const { world, server } = asked
  await using proxy = await startTcpProxy(world.relay.url)
  const machine = await world.addMachine('machine-0', proxy.url)
  const text = world.client.machines.ask(machine.id, 'Work').collect()
  text.catch(() => {})
  await waitFor('the model was asked', () => server.requests.length === 1)
  await waitFor('the command is there', async () => (await world.client.sessions.list()).items.length === 1)
  proxy.break()
  await writeFile(first, '')
  await waitFor('the model asks for the second command', () => server.requests.length === 2)
  expect(await mayExist(second)).toBe(false)
  proxy.mend()
  expect(await text).toBe('Done.')
  expect(await readFile(second, 'utf8')).toBe('ran\n')
})

test('without a relay for longer than its orphan time the ask ends, and the call never runs', async () => {
  const [first, second] = [`/tmp/${newMark()}`, `/tmp/${newMark()}`]
  await using asked = await startAsked([runs(until(first)), runs(`echo ran > ${second}`)], { machines: 0 })
  const { world, server } = asked
  await using proxy = await startTcpProxy(world.relay.url)
  const machine = await world.addMachine('machine-0', proxy.url)
  // Long enough for the model to be asked once more on a machine that is busy.
  const text = world.client.machines.ask(machine.id, 'Work', { orphanMs: 8000 }).collect()
  text.catch(() => {})
  await waitFor('the command is there', async () => (await world.client.sessions.list()).items.length === 1)
  proxy.break()
  await writeFile(first, '')
  await waitFor('the model asks for the second command', () => server.requests.length === 2)
  await expect(text).rejects.toMatchObject({ code: expect.stringMatching(/^(unavailable|cancelled|connection)$/) })
  proxy.mend()
  await world.whenOnline(machine)
  const last = async () => (await world.client.machines.messages(machine.id)).messages.at(-1)
  expect(await waitFor('the ask has ended', last)).toMatchObject({ success: false })
  expect(await mayExist(second)).toBe(false)
})

test('a machine with a PIN asks for it, verifies it itself, and locks after five wrong ones', async () => {
  await using asked = await startAsked([{ text: 'In.' }, { text: 'In again.' }])
  const { machine, client, relay } = asked.world
  await setMachinePin(machine.dataDir, 'right-pin')
  const { machines } = client
  expect(await machines.ask(machine.id, 'Hello', { pin: 'right-pin' }).collect()).toBe('In.')
  await expect(machines.ask(machine.id, 'Hello').collect()).rejects.toMatchObject({ code: 'pin_required_timeout' })
  const tries = ['wrong-pin', 'right-pin']
  const ask = machines.ask(machine.id, 'Hello')
  const seen: string[] = []
  for await (const frame of ask) {
    seen.push(frame.type)
    if (frame.type === 'pin_required') await ask.pin(frame.challengeId, tries.shift() ?? '')
  }
  expect(seen.slice(0, 3)).toEqual(['pin_required', 'pin_denied', 'pin_required'])
  expect(seen.at(-1)).toBe('done')
  for (let count = 0; count < 5; count += 1)
    await expect(machines.ask(machine.id, 'Hello', { pin: 'other-pin' }).collect()).rejects.toMatchObject({
      code: 'pin_denied',
    })
  await expect(machines.ask(machine.id, 'Hello', { pin: 'right-pin' }).collect()).rejects.toMatchObject({
    code: 'pin_denied',
    message: expect.stringContaining('locked'),
  })
  expect(await readFile(join(machine.dataDir, 'pin.json'), 'utf8')).not.toContain('right-pin')
  expect(await readFile(join(relay.dataDir, 'relay.sqlite-wal'), 'latin1')).not.toContain('other-pin')
})
