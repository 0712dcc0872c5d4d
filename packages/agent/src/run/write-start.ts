import { randomUUID } from 'node:crypto'
import type { ModelMessage } from 'ai'
import { assertSameRun } from '../journal/same-run.ts'
import type { OpenedTools } from '../tools/open-tools.ts'
import { shortened } from './run-session.ts'
import type { RunState } from './run-state.ts'
import type { Task } from './task.ts'

/**
 * The run begins; or it goes on, if it is the same, and whoever wrote before writes no more. The model may be asked while the
 * beginning is written down; nothing is done, and nothing ends, before that is durable.
 */
export async function writeStart(task: Task, state: RunState, opened: OpenedTools): Promise<void> {
  const { history, journal, schemaDigest } = task
  const isOver = history?.ended !== undefined
  if (!journal.isKept && history === undefined) return
  const fingerprints = {
    toolsDigest: opened.digest,
    tools: opened.digests(),
    schemaDigest,
    schema: task.schema?.toolSchema ?? null,
  }
  if (history !== undefined) assertSameRun(history.started, fingerprints)
  if (history !== undefined) {
    if (!isOver) await journal.append(state.runId, { type: 'run_resumed', writer: randomUUID() })
    return
  }
  const { provider, id } = task.source.identity
  const { budget, maxRepairs, evidence, options } = task
  const { builtInTools, readOnlyTools } = options
  journal.begin(state.runId, {
    type: 'run_started',
    agentType: task.type.name,
    machineId: task.machine.id,
    model: `${provider}:${id}`,
    title: shortened(task.redactor.text(task.prompt)),
    messages: task.redactor.value(state.messages) as ModelMessage[],
    nonce: task.fence.nonce,
    ...fingerprints,
    settings: {
      budget,
      maxRepairs,
      evidence,
      ...(builtInTools === undefined ? {} : { builtInTools }),
      ...(readOnlyTools === undefined ? {} : { readOnlyTools }),
      ...(task.asks === undefined ? {} : { asks: task.asks }),
      ...(task.tainted ? { tainted: true } : {}),
      ...(task.policy === undefined ? {} : { policy: task.policy }),
      ...(task.restrictions.length === 0 ? {} : { restrictions: task.restrictions }),
    },
  })
}
