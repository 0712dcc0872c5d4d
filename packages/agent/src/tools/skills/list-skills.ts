import type { Machine, MachineSkills } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import * as z from 'zod/v4'
import { boundedText } from '../bounded-text.ts'
import { defineTool, type ToolContext, type ToolOutcome } from '../tool.ts'
import { enclosedFailure } from './enclosed-failure.ts'

/** Lists the skills of the machine: what each is for, and nothing more. */
export const skillList = defineTool({
  name: 'skill_list',
  description:
    'Lists the skills that are installed on the machine: tested procedures with tools of their own, each with what it is for. ' +
    'Look here before you work out how to do something; read one with skill_read before you use it.',
  input: z.object({}),
  readOnly: true,
  run: async (_, { machine, fence, signal, limitBytes }) => {
    const installed = await skillsOf(machine).list({ signal })
    const skills = installed.map(({ name, version, description, state, missing, tools }) => {
      return { name, version, description, state, missing, tools: tools.map((tool) => tool.name) }
    })
    const data = Buffer.from(skills.map((skill) => JSON.stringify(skill)).join('\n'))
    const { text, shownBytes } = boundedText(data, data.length, limitBytes)
    const shown =
      skills.length === 0 ? 'No skill is installed on this machine.' : fence.enclose('installed skills', text)
    return { text: shown, shownBytes, output: { skills } }
  },
})

/** Reads one: what others wrote of how to use it, and its tools. */
export const skillRead = defineTool({
  name: 'skill_read',
  description:
    'Reads a skill that is installed on the machine: what it says of how to use it, and its tools with the schemas of their input and output.',
  input: z.object({ skill: z.string().min(1).max(64).describe('Name of the skill, from skill_list.') }),
  readOnly: true,
  run: async (input, context) => readSkill(input, context).catch((error: unknown) => enclosedFailure(error, context)),
})

async function readSkill(
  { skill: name }: { readonly skill: string },
  { machine, fence, signal, limitBytes }: ToolContext,
): Promise<ToolOutcome> {
  const { version, description, body, tools, folder, files, missing } = await skillsOf(machine).get(name, { signal })
  const shownTools = tools.map((tool) => ({
    name: tool.name,
    description: tool.description,
    input: tool.input,
    output: tool.output,
  }))
  const about = {
    name,
    version,
    description,
    missing,
    folder,
    files: files.map(({ path }) => path),
    tools: shownTools,
  }
  const data = Buffer.from(`${body.trim()}\n\n${JSON.stringify(about, null, 1)}`)
  const { text, shownBytes } = boundedText(data, data.length, limitBytes)
  return { text: fence.enclose(`skill ${name} ${version}`, text), shownBytes, output: { ...about, body } }
}

/** The skills of a machine. Throws `unsupported` where it has none. */
export function skillsOf({ skills, name }: Machine): MachineSkills {
  if (skills !== undefined) return skills
  throw new CmdopError('unsupported', `The machine ${name} has no skills.`)
}
