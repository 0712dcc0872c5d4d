import { facts } from './facts.ts'
import { listFiles } from './list-files.ts'
import { readFile } from './read-file.ts'
import { runCommand } from './run-command.ts'
import type { Tool } from './tool.ts'

/** The tools of the agent type `terminal`. */
export const machineTools: readonly Tool[] = [runCommand, readFile, listFiles, facts]
