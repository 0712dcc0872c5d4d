import type { FileEntry } from '@cmdop/protocol'
import * as z from 'zod/v4'
import { defineTool } from './tool.ts'

const Input = z.object({
  path: z.string().min(1).describe('Absolute path of a directory.'),
  limit: z.int().positive().max(1000).optional().describe('Most entries. Default 200.'),
  cursor: z.string().optional().describe('From an earlier answer, for the entries after it.'),
})

/** Lists a directory. */
export const listFiles = defineTool({
  name: 'list_files',
  description:
    'Lists the entries of a directory on the machine: type, permission bits, size in bytes, time, name as JSON.',
  input: Input,
  readOnly: true,
  run: async ({ path, limit = 200, cursor }, { machine, fence, signal, limitBytes }) => {
    const page = await machine.files.list(path, { limit, signal, ...(cursor === undefined ? {} : { cursor }) })
    const lines: string[] = []
    let shownBytes = 0
    for (const line of page.entries.map(lineOf)) {
      if ((shownBytes += Buffer.byteLength(line) + 1) > limitBytes) break
      lines.push(line)
    }
    const hidden = page.entries.length - lines.length
    const notes = [
      ...(hidden > 0 ? [`${hidden} more entries are left out; ask for fewer at a time with limit.`] : []),
      ...(page.nextCursor === undefined
        ? []
        : [`There are more entries; cursor ${JSON.stringify(page.nextCursor)} continues.`]),
    ]
    return {
      text: [fence.enclose(`directory, ${page.entries.length} entries`, lines.join('\n')), ...notes].join('\n'),
      shownBytes: Math.min(shownBytes, limitBytes),
      output: { path, entries: page.entries, nextCursor: page.nextCursor ?? null },
    }
  },
})

/** A name is JSON, because it may hold a line break. */
function lineOf(entry: FileEntry): string {
  return `${entry.type} ${entry.mode.toString(8)} ${entry.size} ${entry.modifiedAt} ${JSON.stringify(entry.name)}`
}
