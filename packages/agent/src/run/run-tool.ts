import { CmdopError, type ErrorCode, isCmdopError } from '@cmdop/protocol'
import type { ProposedCall } from '../model/model-step.ts'
import type { Tool, ToolContext } from '../tools/tool.ts'

/** How a tool call ended. */
export interface ToolEnd {
  readonly output: unknown
  /** What the model reads. */
  readonly text: string
  readonly isError: boolean
  readonly shownBytes: number
}

/** Failures of the call itself, which the model can learn from. Every other one ends the run. */
const failuresOfTheCall = new Set<ErrorCode>([
  'validation',
  'permission',
  'not_found',
  'conflict',
  'unsupported',
  'command_not_found',
  'exec_failed',
  'deadline',
])

/**
 * Runs one call as the model proposed it. An unknown name, an input that does not fit and a command that cannot run
 * become an error the model reads; a lost machine or a cancelled run is thrown.
 */
export async function runTool(tools: readonly Tool[], call: ProposedCall, context: ToolContext): Promise<ToolEnd> {
  const tool = tools.find((each) => each.name === call.tool)
  if (tool === undefined) {
    return failure(`There is no tool of that name. Use one of: ${tools.map((each) => each.name).join(', ')}.`)
  }
  if (call.unreadable) return failure('The arguments are not JSON. Send them again as one JSON object.')
  try {
    return { ...(await tool.call(call.input, context)), isError: false }
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason
    if (isCmdopError(error) && failuresOfTheCall.has(error.code)) return failure(`${error.code}: ${error.message}`)
    throw isCmdopError(error)
      ? error
      : new CmdopError('server', `The tool ${tool.name} failed on ${context.machine.name}.`, { cause: error })
  }
}

/** The end of a call that the model made although no tool was left. */
export const noToolLeft: ToolEnd = failure('Nothing was run: this is the last step, and it takes only the answer.')

/** An error for the model, bounded, because a path it made up comes back in it. */
function failure(message: string): ToolEnd {
  const text = message.slice(0, 2_000)
  return { output: text, text, isError: true, shownBytes: 0 }
}
