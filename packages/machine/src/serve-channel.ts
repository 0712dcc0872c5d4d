import {
  ANSWER_LANE,
  type Channel,
  CmdopError,
  isMethodName,
  MAX_ANSWER_BYTES,
  type MethodName,
  methods,
  type Permit,
  toCmdopError,
} from '@cmdop/protocol'
import type { Logger } from 'pino'
import { z } from 'zod'
import type { CallTable } from './exec/call-table.ts'
import { listDirectory } from './files/list-directory.ts'
import { readFilePart } from './files/read-file.ts'
import type { PermitChecker } from './permit-checker.ts'

export interface ServeOptions {
  readonly permits: PermitChecker
  readonly calls: CallTable
  readonly log: Logger
}

type Handler<Name extends MethodName> = (
  channel: Channel,
  params: z.output<(typeof methods)[Name]['params']>,
  permit: Permit,
) => Promise<void> | void

/** What a daemon serves of the methods; the others are `unsupported`. */
export type Handlers = { readonly [Name in MethodName]?: Handler<Name> }

/** Serves the channels that come from the relay: permit first, then parameters, then the method. Errors reset the channel. */
export function createChannelServer(options: ServeOptions): (channel: Channel) => void {
  const handlers: Handlers = {
    exec: (channel, params, permit) => options.calls.start(channel, params, permit),
    'exec.attach': (channel, params, permit) => options.calls.attach(channel, params, permit),
    facts: (channel) => answer(channel, readFactsJson),
    'file.list': (channel, params) => answer(channel, async () => ({ data: toJson(await listDirectory(params)) })),
    'file.read': (channel, params) => answer(channel, () => readFileAnswer(params)),
  }
  return (channel) => {
    serve(channel, options.permits, handlers).catch((cause: unknown) => {
      const error = toCmdopError(cause, 'server', 'The machine met a fault of its own; its log says more.')
      const { method, callId } = channel.open
      if (error.code === 'server') options.log.error({ err: error.cause ?? error, method, callId }, 'a call failed')
      channel.reset(error)
    })
  }
}

async function serve(channel: Channel, permits: PermitChecker, handlers: Handlers): Promise<void> {
  const { method } = channel.open
  if (!isMethodName(method))
    throw new CmdopError('unsupported', `This daemon does not know the method ${method}; upgrade it.`)
  const permit = permits.take(channel.open)
  if (!methods[method].input) refuseInput(channel)
  await call(handlers, method, channel, permit)
}

async function call(handlers: Handlers, method: MethodName, channel: Channel, permit: Permit): Promise<void> {
  const params = methods[method].params.safeParse(channel.open.params)
  if (!params.success) {
    throw new CmdopError('validation', `The parameters of ${method} are not valid: ${z.prettifyError(params.error)}`)
  }
  const handler = handlers[method] as
    | ((channel: Channel, params: unknown, permit: Permit) => Promise<void> | void)
    | undefined
  if (handler === undefined) throw new CmdopError('unsupported', `This daemon does not serve ${method}.`)
  await handler(channel, params.data, permit)
}

/** Whoever may not type is told so, and not only by the relay. */
function refuseInput(channel: Channel): void {
  const refuse = async () => {
    for await (const _ of channel) {
      channel.reset(new CmdopError('permission', 'Expected no input on this channel: an observer does not type.'))
    }
  }
  // Its end is the method's concern.
  refuse().catch(() => {})
}

interface Answer {
  readonly data: Uint8Array
  readonly trailer?: unknown
}

/** One answer on its lane, then the end. The caller hanging up stops nothing that matters: these only read. */
async function answer(channel: Channel, read: (signal: AbortSignal) => Promise<Answer>): Promise<void> {
  const stop = new AbortController()
  channel.finished.catch(() => stop.abort())
  channel.accept()
  const { data, trailer } = await read(stop.signal)
  if (data.length > MAX_ANSWER_BYTES)
    throw new CmdopError('frame_too_large', `The answer is over ${MAX_ANSWER_BYTES} bytes.`)
  await channel.send(ANSWER_LANE, data)
  await channel.end(trailer)
}

async function readFactsJson(signal: AbortSignal): Promise<Answer> {
  // Loaded at the first use: it is the slowest part to load, and most calls are commands.
  const { readFacts } = await import('./facts/read-facts.ts')
  return { data: toJson(await readFacts({ signal })) }
}

async function readFileAnswer(params: Parameters<typeof readFilePart>[0]): Promise<Answer> {
  const { data, size } = await readFilePart(params)
  return { data, trailer: { size } }
}

function toJson(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}
