import * as z from 'zod/v4'
import { boundedText } from './bounded-text.ts'
import { defineTool } from './tool.ts'

const Input = z.object({
  path: z.string().min(1).describe('Absolute path of a file.'),
  offset: z.int().nonnegative().optional().describe('Byte to begin at. Default 0.'),
  length: z.int().positive().optional().describe('Bytes to read. At most 16384 come back; ask again with an offset.'),
})

/** Read before and after the part, so that a secret is known that stands across its borders. */
const marginBytes = 16_384

/** Reads a part of a file. */
export const readFile = defineTool({
  name: 'read_file',
  description: 'Reads a part of a file on the machine, and says how long the whole file is.',
  input: Input,
  readOnly: true,
  run: async ({ path, offset = 0, length }, { machine, fence, signal, limitBytes, redactor }) => {
    const wanted = Math.min(length ?? limitBytes, limitBytes)
    const before = Math.min(offset, marginBytes)
    const wide = await machine.files.read(path, {
      offset: offset - before,
      length: before + wanted + marginBytes,
      signal,
    })
    const data = redactor.within(wide.data, before, before + wanted)
    const end = Math.min(offset + wanted, Math.max(offset, wide.offset + wide.data.length))
    const { text, shownBytes } = boundedText(data, data.length, Math.max(limitBytes, data.length))
    const range = `bytes ${offset} to ${end} of ${wide.size}`
    const more = end < wide.size ? `\nThe file goes on; its next part begins at offset ${end}.` : ''
    return {
      text: `${fence.enclose(`file, ${range}`, text)}${more}`,
      shownBytes,
      output: { path, text, offset, bytes: end - offset, size: wide.size },
    }
  },
})
