import type { ExecExit, MachineSkills } from '@cmdop/core'
import {
  CmdopError,
  isCmdopError,
  skillCommand,
  skillInput,
  skillOutput,
  type SkillSaid,
  skillTool,
} from '@cmdop/protocol'
import * as z from 'zod/v4'
import type { Running } from '../../run/workplace.ts'
import { boundedText } from '../bounded-text.ts'
import { capture, captured } from '../run-command.ts'
import { defineTool, type OutputChunk, type ToolContext, type ToolOutcome } from '../tool.ts'
import { enclosedFailure } from './enclosed-failure.ts'
import { skillsOf } from './list-skills.ts'

/** Bytes of the output of a tool of a skill at most: it is one JSON object. */
const MAX_OUTPUT_BYTES = 1_048_576

/** Characters of what it says beside that, for its error, and bytes that are kept for them. */
const SHOWN_STDERR = 2_000
const KEPT_STDERR_BYTES = 4 * SHOWN_STDERR

const Input = z.object({
  skill: z.string().min(1).max(64).describe('Name of the skill, from skill_list.'),
  tool: z.string().min(1).max(64).describe('Name of its tool, from skill_read.'),
  input: z.record(z.string(), z.unknown()).describe('As the input schema of the tool says.'),
})

/** Runs a tool of a skill as a command of the run: the same gate, policy, approvals, restrictions and records. */
export const skillRun = defineTool({
  name: 'skill_run',
  description:
    'Runs a tool of a skill that is installed on the machine, and gives its output as JSON, checked by the schema of the tool. ' +
    'Its files are looked at first: a skill that was changed since it was installed is refused.',
  input: Input,
  recovers: true,
  run: (input, context) => told(input, context),
})

/** What is wrong with a skill is in words of the skill. */
async function* told(
  input: z.infer<typeof Input>,
  context: ToolContext,
): AsyncGenerator<OutputChunk, ToolOutcome, void> {
  try {
    return yield* runTool(input, context)
  } catch (error) {
    return enclosedFailure(error, context)
  }
}

async function* runTool(
  { skill: name, tool, input }: z.infer<typeof Input>,
  context: ToolContext,
): AsyncGenerator<OutputChunk, ToolOutcome, void> {
  const { machine, workplace, signal } = context
  // A person who is asked is asked about what runs, and not about reading what that is.
  const reader = machine.as?.({ approval: { ...context.approval, ask: false } }) ?? machine
  const skill = await skillsOf(reader).get(name, { signal })
  const found = skillTool(skill, tool)
  const json = skillInput(name, found, input)
  const isArgument = found.reads === 'argument'
  const command = [...skillCommand(found, skill.folder), ...(isArgument ? [json] : [])]
  const running = workplace.run(command, {
    signal,
    callId: context.callId,
    startedAt: context.startedAt,
    approval: context.approval,
    deadlineMs: found.timeoutSeconds * 1000,
    skill: { name, sha256: skill.sha256, tool },
    ...(isArgument ? {} : { stdin: json }),
    ...(Object.keys(context.env).length === 0 ? {} : { env: { ...context.env } }),
  })
  const collected = new Collected()
  const exit = yield* followed(collected.of(running), context)
  return outcomeOf({ name, skill, tool: found }, { exit, collected }, context)
}

/** Shows what comes, without secrets, and gives how it ended. What a run cannot go on from is told as what it can. */
async function* followed(running: Running, context: ToolContext): AsyncGenerator<OutputChunk, ExecExit, void> {
  const outputs = { stdout: capture('stdout', context), stderr: capture('stderr', context) }
  try {
    return yield* captured(running, outputs)
  } catch (error) {
    // A variable that is missing is no reason to end the run.
    if (isCmdopError(error) && error.code === 'config')
      throw new CmdopError('unsupported', error.message, { cause: error })
    throw error
  } finally {
    for (const each of Object.values(outputs)) each.end()
  }
}

/** The output as it was, for its schema; what is shown of it is cleaned. */
class Collected {
  readonly #kept = { stdout: new Kept(MAX_OUTPUT_BYTES), stderr: new Kept(KEPT_STDERR_BYTES) }

  async *of(running: Running): Running {
    try {
      for (;;) {
        const { done, value } = await running.next()
        if (done === true) return value
        this.#kept[value.stream].add(value.data, value.skipped)
        yield value
      }
    } finally {
      await running.return(undefined as never)
    }
  }

  get said(): Pick<SkillSaid, 'stdout' | 'stderr' | 'isCut'> {
    const { stdout, stderr } = this.#kept
    return { stdout: stdout.text, stderr: stderr.text, isCut: stdout.isCut }
  }
}

/** The first bytes of a stream. */
class Kept {
  readonly #most: number
  readonly #pieces: Uint8Array[] = []
  #bytes = 0
  isCut = false

  constructor(most: number) {
    this.#most = most
  }

  /** `skipped`: bytes that are missing before these. */
  add(data: Uint8Array, skipped = 0): void {
    if (skipped > 0 || data.length > this.#most - this.#bytes) this.isCut = true
    if (skipped > 0) return
    const taken = data.subarray(0, this.#most - this.#bytes)
    this.#bytes += taken.length
    if (taken.length > 0) this.#pieces.push(taken)
  }

  get text(): string {
    return Buffer.concat(this.#pieces).toString()
  }
}

interface Used {
  readonly name: string
  readonly skill: Awaited<ReturnType<MachineSkills['get']>>
  readonly tool: Awaited<ReturnType<MachineSkills['get']>>['tools'][number]
}

function outcomeOf(
  { name, skill, tool }: Used,
  { exit, collected }: { readonly exit: ExecExit; readonly collected: Collected },
  { fence, limitBytes, redactor }: ToolContext,
): ToolOutcome {
  const { exitCode, durationMs } = exit
  const about = { skill: name, version: skill.version, tool: tool.name, exitCode, durationMs }
  const source = `output of ${name} ${tool.name}`
  try {
    const output = skillOutput(name, tool, { exitCode, ...collected.said })
    const data = Buffer.from(redactor.text(JSON.stringify(output)))
    const { text, shownBytes } = boundedText(data, data.length, limitBytes)
    return { text: fence.enclose(source, text), shownBytes, output: { ...about, output } }
  } catch (error) {
    if (!isCmdopError(error) || error.code !== 'skill_failed') throw error
    // What it says is data of the machine, too.
    const said = `${error.message}\n${collected.said.stderr.slice(0, SHOWN_STDERR)}`.trim()
    const data = Buffer.from(redactor.text(said))
    const { text, shownBytes } = boundedText(data, data.length, limitBytes)
    return {
      text: `skill_failed:\n${fence.enclose(source, text)}`,
      shownBytes,
      output: { ...about, error: error.message, details: error.details },
      failed: 'skill_failed',
    }
  }
}
