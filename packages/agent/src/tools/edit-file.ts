import { CmdopError } from '@cmdop/protocol'
import * as z from 'zod/v4'
import { readTextFile } from './text-file.ts'
import { defineTool } from './tool.ts'
import { put } from './write-file.ts'

const Input = z.object({
  path: z.string().startsWith('/').describe('Absolute path of a text file.'),
  edits: z
    .array(
      z.object({
        find: z.string().min(1).describe('Text that stands in the file exactly once, with its white space.'),
        replace: z.string().describe('What stands there afterwards.'),
        all: z.boolean().optional().describe('Replace every occurrence.'),
      }),
    )
    .min(1)
    .max(100)
    .describe('Done in order; when one does not fit, none is done.'),
})

/** Changes parts of a text file, all or none of them, and only if nobody else has changed it meanwhile. */
export const editFile = defineTool({
  name: 'edit_file',
  description: 'Replaces parts of a text file on the machine, all or none, and shows what changed.',
  input: Input,
  run: async ({ path, edits }, context) => {
    const before = await readTextFile(context.machine, path, context.signal)
    if (before === undefined) throw new CmdopError('not_found', `There is no file at ${path}. Use write_file.`)
    const content = edits.reduce((text, edit, index) => replaced(text, edit, index + 1), before.text)
    return put({ path, content, before }, context, {})
  },
})

function replaced(
  text: string,
  { find, replace, all = false }: z.infer<typeof Input>['edits'][number],
  number: number,
): string {
  const first = text.indexOf(find)
  if (first < 0)
    throw new CmdopError(
      'conflict',
      `Edit ${number} does not fit: its text is not in the file. Nothing was changed; read the file.`,
    )
  if (all) return text.replaceAll(find, () => replace)
  if (text.indexOf(find, first + 1) >= 0) {
    throw new CmdopError(
      'conflict',
      `Edit ${number} does not fit: its text is in the file more than once. Nothing was changed; give more of it, or set all.`,
    )
  }
  return text.slice(0, first) + replace + text.slice(first + find.length)
}
