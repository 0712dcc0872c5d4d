import { editFile } from './edit-file.ts'
import { facts } from './facts.ts'
import { listFiles } from './list-files.ts'
import { moreOutput } from './more-output.ts'
import { readFile } from './read-file.ts'
import { readLogs } from './read-logs.ts'
import { runCommand } from './run-command.ts'
import { searchFiles } from './search-files.ts'
import { skillList, skillRead } from './skills/list-skills.ts'
import { skillRun } from './skills/run-skill.ts'
import type { Tool } from './tool.ts'
import { writeFile } from './write-file.ts'

/** Tools of this package, by name. */
export const builtInTools = {
  run_command: runCommand,
  read_file: readFile,
  write_file: writeFile,
  edit_file: editFile,
  list_files: listFiles,
  search_files: searchFiles,
  read_logs: readLogs,
  facts,
  more_output: moreOutput,
  skill_list: skillList,
  skill_read: skillRead,
  skill_run: skillRun,
} as const satisfies Readonly<Record<string, Tool>>

/** The name of one. `ask_machine` is there where the agent has a `MachineAsker`. */
export type BuiltInToolName = keyof typeof builtInTools | 'ask_machine'

/** All that need nothing but a machine. */
export const machineToolNames = Object.keys(builtInTools) as (keyof typeof builtInTools)[]

/** Those that change nothing. */
export const readOnlyToolNames = machineToolNames.filter((name) => builtInTools[name].readOnly)
