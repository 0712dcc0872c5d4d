import type { Playbook } from '@cmdop/fleet'
import { CmdopError } from '@cmdop/protocol'

/**
 * Inputs of a playbook from `name=value`. A value is text; where the playbook does not take it so, it is read as JSON: `count=3`,
 * `hosts=["a","b"]`. What is wrong then is told by the playbook. Throws `config`.
 */
export function parseInputs({ inputs: schema }: Playbook, given: readonly string[] = []): Record<string, unknown> {
  const texts = new Map<string, string>()
  for (const text of given) {
    const at = text.indexOf('=')
    if (at < 1) throw new CmdopError('config', `Expected --input to be name=value, got "${text}".`)
    if (texts.has(text.slice(0, at))) throw new CmdopError('config', `--input ${text.slice(0, at)} is given twice.`)
    texts.set(text.slice(0, at), text.slice(at + 1))
  }
  const inputs: Record<string, unknown> = Object.fromEntries(texts)
  const parsed = schema.safeParse(inputs)
  if (parsed.success) return inputs
  for (const { path } of parsed.error.issues) {
    const name = String(path[0])
    const text = texts.get(name)
    if (text !== undefined) inputs[name] = jsonOr(text)
  }
  return inputs
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}
