import { type IncomingMessage, request } from 'node:http'
import { homedir } from 'node:os'
import type { Facts } from '@cmdop/protocol'
import { z } from 'zod'
import { goneCodes, unless } from './proc.ts'
import type { FactsSource } from './facts-source.ts'

type Container = NonNullable<Facts['containers']>[number]

/** Room for some ten thousand containers. */
const maxAnswerBytes = 16 * 1024 * 1024

/** An entry of the Docker Engine API's `GET /containers/json`, which Podman answers too. */
const EngineContainers = z.array(
  z.object({ Id: z.string(), Names: z.array(z.string()).nullish(), Image: z.string(), State: z.string() }),
)

/**
 * All containers, stopped ones too, of the Docker and Podman engines whose socket is there, asked over the Docker Engine
 * API. Rejects where no engine answers; one that fails beside another that answers is reported.
 */
export async function readContainers(
  source: FactsSource,
  sockets = engineSockets(source.platform),
): Promise<Container[]> {
  const failures: { socket: string; error: unknown }[] = []
  const lists = await Promise.all(
    sockets.map((socket) =>
      unless(goneCodes, listContainers(socket, source.signal)).catch((error: unknown) => {
        failures.push({ socket, error })
        return null
      }),
    ),
  )
  const found = lists.filter((list) => list !== null)
  if (found.length === 0) throw failures[0]?.error ?? new Error(`no container engine listens at ${sockets.join(', ')}`)
  for (const { socket, error } of failures) source.report(`containers ${socket}`, error)
  // Docker's socket may be a link to Podman's.
  return [...new Map(found.flat().map((container) => [container.id, container])).values()]
}

/** Where the engines listen by default, the system's and the user's own. */
function engineSockets(platform: NodeJS.Platform): string[] {
  if (platform === 'win32') return ['//./pipe/docker_engine']
  if (platform === 'darwin') return ['/var/run/docker.sock', `${homedir()}/.docker/run/docker.sock`]
  const own = `/run/user/${process.getuid?.()}`
  return ['/var/run/docker.sock', '/run/podman/podman.sock', `${own}/docker.sock`, `${own}/podman/podman.sock`]
}

async function listContainers(socketPath: string, signal: AbortSignal): Promise<Container[]> {
  const containers = parseEngineContainers(await getText(socketPath, '/containers/json?all=1', signal))
  return containers.map((container) => ({
    // The length that `docker ps` prints.
    id: container.Id.slice(0, 12),
    name: container.Names?.[0]?.replace(/^\//, '') ?? '',
    image: container.Image,
    state: container.State,
  }))
}

function parseEngineContainers(text: string): z.infer<typeof EngineContainers> {
  try {
    return EngineContainers.parse(JSON.parse(text))
  } catch (cause) {
    throw new Error('the container engine answered something other than a list of containers', { cause })
  }
}

async function getText(socketPath: string, path: string, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const call = request({ socketPath, path, signal, headers: { host: 'localhost' } }, (response) => {
    readBody(response).then(resolve, reject)
  })
  call.on('error', reject).end()
  return promise
}

async function readBody(response: IncomingMessage): Promise<string> {
  if (response.statusCode !== 200) {
    response.resume()
    throw new Error(`the container engine answered with status ${response.statusCode}`)
  }
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response) {
    length += chunk.length
    if (length > maxAnswerBytes) throw new Error(`the container engine answered with more than ${maxAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
