import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, getCACertificates, type Server, setDefaultCACertificates } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dialTarget } from './dial-target.ts'
import { RefusedAddresses } from './refused-addresses.ts'

const trusted = getCACertificates('default')
let server: Server
let port = 0
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-dial-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const subject = ['-subj', '/CN=target', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:target.test']
  await promisify(execFile)('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, ...subject])
  const certificate = await readFile(cert, 'utf8')
  server = createServer({ key: await readFile(key), cert: certificate })
  await rm(folder, { recursive: true })
  setDefaultCACertificates([...trusted, certificate])
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(async () => {
  setDefaultCACertificates(trusted)
  server.close()
  await once(server, 'close')
})

const dial = (host: string, serverName?: string) => {
  const tls = { insecure: false, ...(serverName === undefined ? {} : { serverName }) }
  const refused = new RefusedAddresses({ isOff: false, denied: [] })
  return dialTarget({ host, port, tls }, refused, new AbortController().signal)
}

test('A connection over TLS is closed once both sides have ended, whoever does so first', async () => {
  for (const isTargetFirst of [true, false]) {
    server.once('secureConnection', (socket) => {
      socket.resume()
      if (isTargetFirst) socket.end('bye')
      else socket.once('end', () => socket.end('bye'))
    })
    const socket = await dial('127.0.0.1')
    const closed = once(socket, 'close')
    socket.resume()
    if (isTargetFirst) await once(socket, 'end')
    socket.end('bye')
    await closed
  }
})

test('The certificate of a target has to be for its address, or for the name that was chosen', async () => {
  for (const serverName of [undefined, '127.0.0.1', 'target.test']) (await dial('127.0.0.1', serverName)).destroy()
  for (const [host, serverName] of [
    ['localhost', undefined],
    ['127.0.0.1', 'other.test'],
    ['127.0.0.1', '127.0.0.2'],
  ] as const)
    await expect(dial(host, serverName)).rejects.toMatchObject({
      code: 'unavailable',
      details: { reason: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    })
})
