import { CmdopError } from '@cmdop/protocol'
import * as z from 'zod/v4'
import { boundedText } from './bounded-text.ts'
import { defineTool } from './tool.ts'

const Input = z.object({
  call: z.string().min(1).describe('The label of the call: "c3".'),
  output: z.string().optional().describe('stdout, stderr or result. Default: the first there is.'),
  offset: z.int().nonnegative().optional().describe('Byte to begin at. Default 0.'),
  length: z.int().positive().optional().describe('Bytes to read. At most 16384 come back.'),
})

/** Shows a part of an earlier output that was cut. */
export const moreOutput = defineTool({
  name: 'more_output',
  byMachine: false,
  description: 'Shows another part of the output of an earlier call that was cut. Nothing runs again.',
  input: Input,
  readOnly: true,
  run: async ({ call, output, offset = 0, length }, { shelf, fence, limitBytes }) => {
    const names = shelf.names(call)
    const name = output ?? names.find((each) => (shelf.get(call, each)?.total ?? 0) > 0) ?? names[0]
    const kept = name === undefined ? undefined : shelf.get(call, name)
    if (name === undefined || kept === undefined) {
      throw new CmdopError(
        'not_found',
        `There is no output of ${call} that is kept. Run it again, with its output in a file.`,
      )
    }
    const part = kept.part(offset, Math.min(length ?? limitBytes, limitBytes))
    if (part === undefined) {
      const [from, to] = kept.gap
      const why =
        offset >= kept.total
          ? `it has ${kept.total} bytes`
          : `bytes ${from} to ${to} are not kept; run it again with its output in a file`
      throw new CmdopError('not_found', `There is nothing at byte ${offset} of ${name} of ${call}: ${why}.`)
    }
    const { text, shownBytes } = boundedText(part.data, part.data.length, limitBytes)
    const end = offset + part.data.length
    const range = `bytes ${offset} to ${end} of ${kept.total}`
    return {
      text: fence.enclose(`${name} of ${call}, ${range}`, text),
      shownBytes,
      output: { call, output: name, text, offset, bytes: part.data.length, size: kept.total },
    }
  },
})
