import { CmdopError, type ExecParams, skillCommand, skillInput, skillTool } from '@cmdop/protocol'
import { assertRequirements } from './skill-requirements.ts'
import type { SkillRecord } from './skill-records.ts'
import type { SkillTable } from './skill-table.ts'

/**
 * A command of an installed skill as it runs: exactly what the skill says, of files that are as they were installed, with all that it
 * requires. Any other command as it is. Throws `not_found`, `conflict` (another version is installed), `integrity`, `validation`,
 * `command_not_found` and `config`; nothing ran then.
 */
export async function preparedCommand(skills: SkillTable, params: ExecParams): Promise<ExecParams> {
  const { skill, env = {} } = params
  if (skill === undefined) return params
  const record = await skills.unchanged(skill.name)
  if (record.sha256 !== skill.sha256)
    throw new CmdopError(
      'conflict',
      `Another version of the skill ${skill.name} is installed by now: ${record.manifest.version}. Nothing ran.`,
      {
        details: { version: record.manifest.version, sha256: record.sha256 },
      },
    )
  assertCommand(record, skills.folderOf(record), params)
  await assertRequirements(record.manifest, { environment: { ...skills.environment, ...env }, own: skills.environment })
  // What Python writes beside what it reads would be a file that nobody has installed.
  return { ...params, env: { ...env, PYTHONDONTWRITEBYTECODE: '1' } }
}

function assertCommand({ manifest }: SkillRecord, folder: string, { skill, command, cwd, stdin }: ExecParams): void {
  const other = new CmdopError('validation', `The command is not what the skill ${manifest.name} says. Nothing ran.`)
  if (skill?.tool == null) {
    if (manifest.run_check === undefined || command !== manifest.run_check || cwd !== folder || stdin) throw other
    return
  }
  const tool = skillTool(manifest, skill.tool)
  const expected = skillCommand(tool, folder)
  const isArgument = tool.reads === 'argument'
  if (typeof command === 'string' || stdin === isArgument) throw other
  if (command.length !== expected.length + Number(isArgument)) throw other
  if (expected.some((word, index) => word !== command[index])) throw other
  if (isArgument) skillInput(manifest.name, tool, parsed(command.at(-1) ?? '', other))
}

function parsed(text: string, other: CmdopError): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw other
  }
}
