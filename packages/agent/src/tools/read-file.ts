import * as z from 'zod/v4'
import { boundedText } from './bounded-text.ts'
import { defineTool } from './tool.ts'

const Input = z.object({
  path: z.string().min(1).describe('Absolute path of a file.'),
  offset: z.int().nonnegative().optional().describe('Byte to begin at. Default 0.'),
  length: z.int().positive().optional().describe('Bytes to read. At most 16384 come back; ask again with an offset.'),
})

/** Reads a part of a file. */
export const readFile = defineTool({
  name: 'read_file',
  description: 'Reads a part of a file on the machine, and says how long the whole file is.',
  input: Input,
  run: async ({ path, offset = 0, length }, { machine, fence, signal, limitBytes }) => {
    const part = await machine.files.read(path, { offset, length: Math.min(length ?? limitBytes, limitBytes), signal })
    const end = part.offset + part.data.length
    const { text, shownBytes } = boundedText(part.data, part.data.length, limitBytes)
    const range = `bytes ${part.offset} to ${end} of ${part.size}`
    const more = end < part.size ? `\nThe file goes on; its next part begins at offset ${end}.` : ''
    return {
      text: `${fence.enclose(`file, ${range}`, text)}${more}`,
      shownBytes,
      output: { path: part.path, text, offset: part.offset, bytes: part.data.length, size: part.size },
    }
  },
})
