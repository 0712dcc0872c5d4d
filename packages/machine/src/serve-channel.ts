import {
  type Channel,
  CmdopError,
  type Facts,
  isMethodName,
  methods,
  type Open,
  type Permit,
  toCmdopError,
} from '@cmdop/protocol'
import type { Logger } from 'pino'
import { answer } from './answer.ts'
import type { ApprovalChecker } from './approvals/approval-checker.ts'
import { callHandler, type Handlers } from './call-handler.ts'
import type { CallTable } from './exec/call-table.ts'
import { traced } from './exec/traced.ts'
import type { FileService } from './files/file-handlers.ts'
import type { PermitChecker } from './permit-checker.ts'
import { createEffectHandlers } from './restricted/effects/effect-handlers.ts'
import type { Restricted } from './restricted/restricted.ts'
import { createSessionHandlers } from './sessions/session-handlers.ts'
import type { SessionTable } from './sessions/session-table.ts'
import { createSkillHandlers } from './skills/skill-handlers.ts'
import type { SkillTable } from './skills/skill-table.ts'
import { preparedCommand } from './skills/skill-commands.ts'

export interface ServeOptions {
  readonly permits: PermitChecker
  readonly approvals: ApprovalChecker
  readonly calls: CallTable
  readonly files: FileService
  readonly sessions: SessionTable
  readonly restricted: Restricted
  /** Without them nothing of a skill is run. */
  readonly skills?: SkillTable
  readonly log: Logger
}

/** What the relay gives for a call. */
export type Given = Pick<Open, 'permit' | 'approval'>

/** Serves a channel; what the relay gave is passed where it came by another way than in the open frame. */
export type ChannelServer = (channel: Channel, given?: Given) => void

/** Serves the channels that come from the relay: permit first, then parameters, then the method. Errors reset the channel. */
export function createChannelServer(options: ServeOptions, more: Handlers = {}): ChannelServer {
  const { skills } = options
  const handlers: Handlers = {
    exec: async (channel, params, permit) => {
      // A command that is none of a skill's begins at once: whoever attaches to it finds it.
      const prepared = params.skill === undefined ? params : await preparedCommand(served(skills), params)
      await options.calls.start(channel, traced(prepared, channel.open), permit)
    },
    'exec.attach': (channel, params, permit) => options.calls.attach(channel, params, permit),
    'exec.result': (channel, _, permit) => options.calls.result(channel, permit),
    facts: (channel) => answer(channel, readFactsOnce),
    ...options.files.handlers,
    ...createSessionHandlers(options.sessions),
    ...createEffectHandlers(options.restricted),
    ...(skills === undefined ? {} : createSkillHandlers(skills)),
    ...more,
  }
  return serveHandlers(handlers, options)
}

function served(skills: SkillTable | undefined): SkillTable {
  if (skills !== undefined) return skills
  throw new CmdopError('unsupported', 'This daemon has no skills.')
}

/** Serves these methods only. */
export function serveHandlers(
  handlers: Handlers,
  options: Pick<ServeOptions, 'permits' | 'approvals' | 'log'>,
): ChannelServer {
  return (channel, given) => {
    const { permit: _permit, approval: _approval, ...asked } = channel.open
    const open = given === undefined ? channel.open : { ...asked, ...given }
    serve(channel, { ...options, handlers, open }).catch((cause: unknown) => {
      const error = toCmdopError(cause, 'server', 'The machine met a fault of its own; its log says more.')
      const { method, callId } = channel.open
      if (error.code === 'server') options.log.error({ err: error.cause ?? error, method, callId }, 'a call failed')
      channel.reset(error)
    })
  }
}

async function serve(
  channel: Channel,
  {
    permits,
    approvals,
    handlers,
    open,
  }: Pick<ServeOptions, 'permits' | 'approvals'> & { handlers: Handlers; open: Open },
): Promise<void> {
  const { method } = open
  if (!isMethodName(method))
    throw new CmdopError('unsupported', `This daemon does not know the method ${method}; upgrade it.`)
  const permit = permits.take(open)
  if (isApproved(open, permit)) await approvals.check(open, permit)
  if (!methods[method].input) refuseInput(channel)
  await callHandler(handlers, method, { channel, caller: permit })
}

/** Nothing is waited for where nobody had to approve. */
function isApproved({ approval }: Open, { approvalId }: Permit): boolean {
  return approval !== undefined || approvalId !== null
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

async function readFactsOnce(signal: AbortSignal): Promise<Facts> {
  // Loaded at the first use: it is the slowest part to load, and most calls are commands.
  const { readFacts } = await import('./facts/read-facts.ts')
  return readFacts({ signal })
}
