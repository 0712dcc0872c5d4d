import {
  ANSWER_LANE,
  CmdopError,
  InstalledSkillDetails,
  InstalledSkillList,
  isCmdopError,
  MAX_SKILL_BUNDLE_BYTES,
  type InstalledSkill,
  skillCommand,
  skillInput,
  skillOutput,
  SkillPlaced,
  skillTool,
  SkillUninstalled,
} from '@cmdop/protocol'
import type { z } from 'zod'
import { newCallId, parseAnswer, parseJson } from '../answers.ts'
import type { Cancellable } from '../cancellable.ts'
import type { Channels } from '../channels.ts'
import type { Machine } from '../machine.ts'
import { itemsOf, onePage } from '../pages.ts'
import type {
  MachineSkills,
  SkillCheck,
  SkillCheckOptions,
  SkillContent,
  SkillRun,
  SkillRunOptions,
} from './machine-skills.ts'

/** Bytes that are sent at once. */
const PIECE_BYTES = 64 * 1024

/** The skills of a machine over the relay. */
export class RemoteSkills implements MachineSkills {
  readonly #channels: Channels
  readonly #machine: Pick<Machine, 'id' | 'exec'>

  constructor(channels: Channels, machine: Pick<Machine, 'id' | 'exec'>) {
    this.#channels = channels
    this.#machine = machine
  }

  async list(options: Cancellable = {}): Promise<InstalledSkill[]> {
    return (await this.#page(options)).items
  }

  iter(options: Cancellable = {}): AsyncGenerator<InstalledSkill> {
    return itemsOf(this.pages(options), ({ name }) => name, options)
  }

  pages(options: Cancellable = {}): AsyncGenerator<InstalledSkillList> {
    return onePage(() => this.#page(options))
  }

  async get(name: string, { signal }: Cancellable = {}): Promise<InstalledSkillDetails> {
    return parseAnswer(InstalledSkillDetails, await this.#ask('skill.get', { name }, signal))
  }

  async install({ files, ...skill }: SkillContent, { signal }: Cancellable = {}): Promise<SkillPlaced> {
    const data = new TextEncoder().encode(JSON.stringify({ files }))
    if (data.length > MAX_SKILL_BUNDLE_BYTES)
      throw new CmdopError(
        'validation',
        `The files of ${skill.name} are ${data.length} bytes; at most are ${MAX_SKILL_BUNDLE_BYTES}.`,
      )
    const { name, version, sha256, from } = skill
    const params = { name, version, sha256, from, size: data.length }
    const channel = await this.#channels.open({
      method: 'skill.install',
      target: this.#machine.id,
      params,
      callId: newCallId(),
      signal,
    })
    const cancel = () => channel.reset(new CmdopError('cancelled', 'The installation was cancelled.'))
    if (signal?.aborted === true) cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      for (let at = 0; at < data.length; at += PIECE_BYTES)
        await channel.send(ANSWER_LANE, data.subarray(at, at + PIECE_BYTES))
      await channel.end()
      return parseAnswer(SkillPlaced, await channel.finished)
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  async uninstall(name: string, { signal }: Cancellable = {}): Promise<boolean> {
    return parseAnswer(SkillUninstalled, await this.#ask('skill.uninstall', { name }, signal)).removed
  }

  async run<Schema extends z.ZodType = z.ZodType<Record<string, unknown>>>(
    name: string,
    tool: string,
    input: Readonly<Record<string, unknown>>,
    { outputSchema, ...options }: SkillRunOptions<Schema> = {},
  ): Promise<SkillRun<z.output<Schema>>> {
    const skill = await this.get(name, options)
    const found = skillTool(skill, tool)
    const json = skillInput(name, found, input)
    const isArgument = found.reads === 'argument'
    const command = [...skillCommand(found, skill.folder), ...(isArgument ? [json] : [])]
    const {
      stdout,
      stderr,
      stdoutData: _,
      stderrData: __,
      stdoutTruncated: isCut,
      stderrTruncated: ___,
      ...exit
    } = await this.#machine.exec(command, {
      deadlineMs: found.timeoutSeconds * 1000,
      ...options,
      ...(isArgument ? {} : { stdin: json }),
      skill: { name, sha256: skill.sha256, tool },
    })
    const output = skillOutput(name, found, { exitCode: exit.exitCode, stdout, stderr, isCut })
    return { ...exit, stderr, output: asAsked(outputSchema, output, { name, tool }) }
  }

  async check(name: string, { onCheck, ...options }: SkillCheckOptions = {}): Promise<SkillCheck | null> {
    const { runCheck, folder, sha256 } = await this.get(name, options)
    if (runCheck === null) return null
    onCheck?.(runCheck)
    try {
      const { exitCode, stdout, stderr } = await this.#machine.exec(runCheck, {
        deadlineMs: 60_000,
        ...options,
        cwd: folder,
        skill: { name, sha256, tool: null },
      })
      return { ok: exitCode === 0, exitCode, stdout, stderr, error: null }
    } catch (error) {
      if (!isCmdopError(error) || error.code === 'cancelled') throw error
      const { code, message } = error
      return { ok: false, exitCode: null, stdout: '', stderr: '', error: { code, message } }
    }
  }

  within(exec: Machine['exec']): MachineSkills {
    return new RemoteSkills(this.#channels, { id: this.#machine.id, exec })
  }

  async #page({ signal }: Cancellable): Promise<InstalledSkillList> {
    return parseAnswer(InstalledSkillList, await this.#ask('skill.list', {}, signal))
  }

  async #ask(
    method: 'skill.list' | 'skill.get' | 'skill.uninstall',
    params: Record<string, unknown>,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const call = { method, target: this.#machine.id, params, callId: newCallId(), signal }
    const { data } = await this.#channels.ask(call)
    return parseJson(data)
  }
}

function asAsked<Schema extends z.ZodType>(
  schema: Schema | undefined,
  output: Record<string, unknown>,
  { name: skill, tool }: { readonly name: string; readonly tool: string },
): z.output<Schema> {
  // Without a schema the type is that of the output itself.
  if (schema === undefined) return output as z.output<Schema>
  const parsed = schema.safeParse(output)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the output'}: ${message}`)
  throw new CmdopError(
    'skill_failed',
    `The output of ${skill} ${tool} is not what outputSchema asks for. ${issues.join('; ')}`.slice(0, 1500),
    {
      details: { skill, tool, reason: 'schema', issues: issues.slice(0, 20), output },
    },
  )
}
