import { CmdopError, isCmdopError } from '@cmdop/protocol'
import * as z from 'zod/v4'
import { boundedText } from './bounded-text.ts'
import { diffOf, readTextFile } from './text-file.ts'
import { defineTool, type ToolContext, type ToolOutcome } from './tool.ts'

const Input = z.object({
  path: z.string().startsWith('/').describe('Absolute path of the file.'),
  content: z.string().max(1_048_576).describe('The whole new content.'),
  mode: z
    .string()
    .regex(/^0?[0-7]{3,4}$/)
    .optional()
    .describe('Permission bits in octal: "644". Default: those of the file that is replaced.'),
  createParents: z.boolean().optional().describe('Make the directories above it that are missing.'),
  overwrite: z.boolean().optional().describe('False: an existing file is an error. Default true.'),
})

/** Puts a new content in place at once, or not at all, and shows what it changes. */
export const writeFile = defineTool({
  name: 'write_file',
  description:
    'Writes a whole text file on the machine, at once or not at all, and shows what changed. Use edit_file for a part.',
  input: Input,
  run: async ({ path, content, mode, createParents, overwrite }, context) => {
    const before = await existing(path, context)
    if (before !== undefined && overwrite === false) throw new CmdopError('conflict', `There is a file at ${path}.`)
    return put({ path, content, before }, context, {
      ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
      ...(createParents === undefined ? {} : { createParents }),
    })
  },
})

/** A file that cannot be compared is still written; only its diff is missing. */
async function existing(path: string, { machine, signal }: ToolContext) {
  try {
    return await readTextFile(machine, path, signal)
  } catch (error) {
    if (isCmdopError(error) && error.code === 'unsupported') return { text: '', sha256: undefined }
    throw error
  }
}

/** A change of a file. `before`: what was read of it; the file must still be that when it is replaced. */
interface Change {
  readonly path: string
  readonly content: string
  readonly before: { readonly text: string; readonly sha256: string | undefined } | undefined
}

/** Replaces the file if it is still what was read, and tells what changed. */
export async function put(
  { path, content, before }: Change,
  { machine, workplace, signal, fence, limitBytes, redactor }: ToolContext,
  options: { mode?: number; createParents?: boolean },
): Promise<ToolOutcome> {
  const expected =
    before === undefined ? { ifMatch: null } : before.sha256 === undefined ? {} : { ifMatch: before.sha256 }
  const written = await machine.files.write(path, content, { ...options, ...expected, signal })
  workplace.effects.add(written.effect)
  const comparable = before === undefined || before.sha256 !== undefined
  const changes = comparable ? diffOf(path, before?.text, content) : '(what was there before is no text, or too large)'
  const data = Buffer.from(redactor.text(changes))
  const { text: diff, shownBytes } = boundedText(data, data.length, limitBytes)
  const done = before === undefined ? 'created' : changes === '' ? 'written, with no change' : 'replaced'
  return {
    text: [
      `${done}, ${written.size} bytes, SHA-256 ${written.sha256}`,
      ...(diff === '' ? [] : [fence.enclose('diff', diff)]),
    ].join('\n'),
    shownBytes,
    output: { path, size: written.size, sha256: written.sha256, replaced: before !== undefined, diff },
  }
}
