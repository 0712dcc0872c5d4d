import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../store/sqlite/temporary-store.ts'
import { mkdir } from 'node:fs/promises'
import { SinkSet } from './sink-set.ts'

const checkpoint = { fleetId: 'flt_"one"]', number: 7, body: '{"number":7}', signature: 'signed' }
const line = String.raw`{"checkpoint":"{\"number\":7}","signature":"signed"}`
const message =
  /^<109>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ cmdop - audit-checkpoint \[cmdop@32473 fleet="flt_\\"one\\"\\\]" number="7"\] (.*)$/

const never = (error: unknown) => {
  throw error
}

describe('a sink', () => {
  test('that is a file gets a line for each checkpoint', async () => {
    await using folder = await temporaryFolder()
    await mkdir(dirname(folder.file), { recursive: true })
    const path = join(dirname(folder.file), 'checkpoints.jsonl')
    const sinks = new SinkSet([`file:${path}`], never)
    sinks.send(checkpoint)
    sinks.send(checkpoint)
    await sinks.close()
    expect(await readFile(path, 'utf8')).toBe(`${line}\n${line}\n`)
  })

  test('that is a webhook is tried again, in order, and holds nobody up', async () => {
    const bodies: string[] = []
    const answers = [500, 200, 200]
    const server = createHttpServer((request, response) => {
      let body = ''
      request.on('data', (data: Buffer) => (body += data.toString()))
      request.on('end', () => {
        bodies.push(body)
        response.writeHead(answers.shift() ?? 500).end()
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const failures: string[] = []
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=secret`
    const sinks = new SinkSet([url], (_, sink) => failures.push(sink))
    sinks.send(checkpoint)
    sinks.send({ ...checkpoint, body: '{"number":8}' })
    await expect.poll(() => bodies.length).toBe(3)
    await sinks.close()
    expect(bodies).toEqual([line, line, line.replace('7', '8')])
    expect(failures).toEqual([expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/hook\?…$/)])
    server.close()
  })

  test('that is syslog over UDP gets one datagram of RFC 5424', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const received = once(socket, 'message')
    const sinks = new SinkSet([`syslog:udp://127.0.0.1:${socket.address().port}`], never)
    sinks.send(checkpoint)
    const [data] = (await received) as [Buffer]
    expect(message.exec(data.toString())?.[1]).toBe(line)
    await sinks.close()
    socket.close()
  })

  test('that is syslog over TCP gets its length in front', async () => {
    const received = Promise.withResolvers<string>()
    const server = createServer((socket) => {
      let text = ''
      socket.on('data', (data) => (text += data.toString()))
      socket.on('end', () => received.resolve(text))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const sinks = new SinkSet([`syslog:tcp://127.0.0.1:${(server.address() as AddressInfo).port}`], never)
    sinks.send(checkpoint)
    const [, length, rest = ''] = /^(\d+) (.*)$/s.exec(await received.promise) ?? []
    expect(Number(length)).toBe(Buffer.byteLength(rest))
    expect(message.exec(rest)?.[1]).toBe(line)
    await sinks.close()
    server.close()
  })

  test('that is away is given one last chance when the relay stops', async () => {
    const failures: unknown[] = []
    const sinks = new SinkSet(['syslog:tcp://127.0.0.1:1'], (error) => failures.push(error))
    sinks.send(checkpoint)
    await expect.poll(() => failures.length).toBe(1)
    await sinks.close()
    expect(failures).toHaveLength(2)
  })

  test.each(['', 'checkpoints.jsonl', 'http://example.org/', 'syslog:tls://host', 'ftp://host/'])(
    'that is set as %j is refused',
    (setting) => {
      expect(() => new SinkSet([setting], never)).toThrow('Expected an audit sink')
    },
  )
})
