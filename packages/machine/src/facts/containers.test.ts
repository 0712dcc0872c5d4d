import { once } from 'node:events'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readContainers } from './containers.ts'
import type { FactsSource } from './facts-source.ts'

/** A folder with an engine's socket that gives this answer to a request for all containers. */
async function startEngine(body: string, status = 200) {
  const folder = await mkdtempDisposable(join(tmpdir(), 'engine-'))
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/containers/json?all=1' ? status : 404).end(body)
  })
  const socket = join(folder.path, 'docker.sock')
  await once(server.listen(socket), 'listening')
  return {
    socket,
    absent: join(folder.path, 'absent.sock'),
    folder: folder.path,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await folder.remove()
    },
  }
}

function createSource(reported: string[] = []): FactsSource {
  const signal = AbortSignal.timeout(5_000)
  return { platform: 'linux', procRoot: '/proc', signal, report: (fact) => void reported.push(fact) }
}

const nginx = { Id: '0123456789abcdef', Names: ['/web'], Image: 'nginx:1.29', State: 'running' }

test('containers of the engine are listed as docker ps prints them, and a dead one may have no name', async () => {
  const body = JSON.stringify([nginx, { Id: 'ffff', Names: null, Image: 'sha256:1', State: 'dead' }])
  await using engine = await startEngine(body)
  await expect(readContainers(createSource(), [engine.absent, engine.socket])).resolves.toEqual([
    { id: '0123456789ab', name: 'web', image: 'nginx:1.29', state: 'running' },
    { id: 'ffff', name: '', image: 'sha256:1', state: 'dead' },
  ])
})

test('an engine without containers gives an empty list', async () => {
  await using engine = await startEngine('[]')
  await expect(readContainers(createSource(), [engine.socket])).resolves.toEqual([])
})

test('no engine is a reason, not an empty list', async () => {
  await using engine = await startEngine('[]')
  await expect(readContainers(createSource(), [engine.absent])).rejects.toThrow('no container engine listens at')
})

test('an engine that fails or talks nonsense is a reason, not an empty list', async () => {
  await using failing = await startEngine('{"message":"no"}', 500)
  await expect(readContainers(createSource(), [failing.socket])).rejects.toThrow('answered with status 500')
  await using confused = await startEngine('{"hello":1}')
  await expect(readContainers(createSource(), [confused.socket])).rejects.toThrow('other than a list of containers')
})

test('an engine that fails beside one that answers is reported', async () => {
  await using engine = await startEngine(JSON.stringify([nginx]))
  const deaf = join(engine.folder, 'deaf.sock')
  await writeFile(deaf, '')
  const reported: string[] = []
  await expect(readContainers(createSource(reported), [deaf, engine.socket])).resolves.toHaveLength(1)
  expect(reported).toEqual([`containers ${deaf}`])
})
