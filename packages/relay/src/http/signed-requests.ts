import { CmdopError } from '@cmdop/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { authenticateMachine } from '../recordings/machine-request.ts'
import type { MachineRow } from '../store/store.ts'
import type { HttpContext } from './context.ts'

/** What is known of a request that a machine signed. */
export interface SignedRequests {
  readonly machineOf: (request: FastifyRequest) => MachineRow
  /** As it came. */
  readonly bodyOf: (request: FastifyRequest) => Buffer
}

/** Makes every route of a plugin take only requests that are signed with the key of a machine. */
export function takeSignedRequests(
  app: Pick<FastifyInstance, 'removeContentTypeParser' | 'addContentTypeParser' | 'addHook'>,
  context: HttpContext,
): SignedRequests {
  const bodies = new WeakMap<FastifyRequest, Buffer>()
  const machines = new WeakMap<FastifyRequest, MachineRow>()
  // What is signed is the body as it came.
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      bodies.set(request, body)
      return parseJson(body)
    },
  )
  app.addContentTypeParser<Buffer>(
    'application/octet-stream',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      bodies.set(request, body)
      return body
    },
  )
  const bodyOf = (request: FastifyRequest) => bodies.get(request) ?? Buffer.alloc(0)
  app.addHook('preValidation', async (request) => {
    const { method, url, headers } = request
    const signed = { method, url, authorization: headers.authorization, body: bodyOf(request) }
    machines.set(request, await authenticateMachine(context, signed))
  })
  const machineOf = (request: FastifyRequest) => {
    const machine = machines.get(request)
    if (machine === undefined) throw new CmdopError('auth', 'The request is of no machine of this relay.')
    return machine
  }
  return { machineOf, bodyOf }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch (cause) {
    throw new CmdopError('validation', 'The request could not be read as JSON.', { cause })
  }
}
