import type { KeptOutput } from '../context/kept-output.ts'
import { type BoundedText, boundedText } from './bounded-text.ts'
import type { ToolContext } from './tool.ts'

/** An output as the model reads it: fenced, by its head and tail, with how to ask for the rest. */
export interface ShownOutput extends BoundedText {
  /** The fence, and the line about the rest. */
  readonly lines: readonly string[]
}

/** Shows what was kept of an output. `name` is the one under which it is on the shelf. */
export function shownOutput(
  kept: KeptOutput,
  name: string,
  context: Pick<ToolContext, 'fence' | 'label'>,
  limit: number,
): ShownOutput {
  const bounded = boundedText(kept.data(), kept.total, limit)
  const lines = [context.fence.enclose(`${name}, ${kept.total} bytes`, bounded.text)]
  if (bounded.truncated && bounded.isText) {
    const more = JSON.stringify({ call: context.label, output: name, offset: bounded.headBytes })
    lines.push(`More of it: more_output with ${more}.`)
  }
  return { ...bounded, lines }
}
