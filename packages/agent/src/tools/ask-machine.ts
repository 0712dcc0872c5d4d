import * as z from 'zod/v4'
import type { MachineAsker } from '../ports/ask-machine.ts'
import { boundedText } from './bounded-text.ts'
import { defineTool, type Tool } from './tool.ts'

const Input = z.object({
  machine: z.string().min(1).describe('Name, host name or id of the other machine.'),
  prompt: z.string().min(1).max(65_536).describe('What to find out or do there, as a whole task.'),
})

/** Asks the operator of another machine. Its answer is data, as any output is. */
export function askMachine(asker: MachineAsker): Tool {
  return defineTool({
    name: 'ask_machine',
    byMachine: false,
    description: 'Gives a task to the operator that works on another machine, and shows its answer.',
    input: Input,
    run: async ({ machine, prompt }, { signal, fence, limitBytes, redactor, shelf, label }) => {
      const { text: answer } = await asker.ask({ machine, prompt, signal })
      const data = Buffer.from(redactor.text(answer))
      shelf.place(label, 'result').add(data)
      const { text, shownBytes } = boundedText(data, data.length, limitBytes)
      return {
        text: fence.enclose(`answer of ${machine}, ${data.length} bytes`, text),
        shownBytes,
        output: { machine, text },
      }
    },
  })
}
