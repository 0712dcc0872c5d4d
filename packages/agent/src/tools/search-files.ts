import type { SearchMatch } from '@cmdop/protocol'
import * as z from 'zod/v4'
import { defineTool } from './tool.ts'

const Input = z
  .object({
    path: z.string().startsWith('/').describe('Absolute directory to search below.'),
    name: z
      .string()
      .min(1)
      .optional()
      .describe('Glob over the name: *.conf; with / or ** over the path below the directory.'),
    content: z.string().min(1).optional().describe('Text in a line of a file.'),
    regex: z.boolean().optional().describe('`content` is a regular expression.'),
    ignoreCase: z.boolean().optional(),
    limit: z.int().positive().max(1000).optional().describe('Most matches. Default 100.'),
  })
  .refine(({ name, content }) => name !== undefined || content !== undefined, 'give name, content or both')

/** Finds files by name and lines by content. */
export const searchFiles = defineTool({
  name: 'search_files',
  description:
    'Searches files below a directory on the machine by name, by content, or both. Shows path, line number and line.',
  input: Input,
  readOnly: true,
  run: async ({ path, name, content, regex, ignoreCase, limit = 100 }, { machine, fence, signal, limitBytes }) => {
    const found = await machine.files.search(path, {
      maxMatches: limit,
      signal,
      ...(name === undefined ? {} : { name }),
      ...(content === undefined ? {} : { content }),
      ...(regex === undefined ? {} : { regex }),
      ...(ignoreCase === undefined ? {} : { ignoreCase }),
    })
    const lines: string[] = []
    let shownBytes = 0
    for (const line of found.matches.map(lineOf)) {
      if ((shownBytes += Buffer.byteLength(line) + 1) > limitBytes) break
      lines.push(line)
    }
    const hidden = found.matches.length - lines.length
    const notes = [
      ...(hidden > 0 ? [`${hidden} more matches are left out; ask for less.`] : []),
      ...(found.truncated ? ['There are more matches than the limit.'] : []),
      ...(found.skippedFiles > 0 ? [`${found.skippedFiles} files were not read: no right, too large, or binary.`] : []),
    ]
    return {
      text: [fence.enclose(`search, ${found.matches.length} matches`, lines.join('\n')), ...notes].join('\n'),
      shownBytes: Math.min(shownBytes, limitBytes),
      output: { path, ...found },
    }
  },
})

/** A path is JSON, because it may hold a line break. */
function lineOf({ path, line, text }: SearchMatch): string {
  return line === undefined ? JSON.stringify(path) : `${JSON.stringify(path)}:${line}: ${text ?? ''}`
}
