import type { GateRequest } from '@cmdop/agent'
import { type CompiledPolicy, compilePolicy, type DangerLevel, dangers, decide, type PolicyCall } from '@cmdop/policy'
import { z } from 'zod'

const Input = z.object({
  command: z.union([z.string(), z.array(z.string())]).optional(),
  cwd: z.string().optional(),
  path: z.string().optional(),
})

/** Of built-in tools that change something, the method that is judged. */
const methods: Readonly<Record<string, string>> = {
  run_command: 'exec',
  write_file: 'file.write',
  edit_file: 'file.write',
}

let compiled: CompiledPolicy | undefined

/**
 * How dangerous a call is, by the tables of the policy. Of a tool that these do not know it is `medium`; after data that looks like
 * instructions at least `high`.
 */
export function dangerOf({ tool, input, tainted }: Pick<GateRequest, 'tool' | 'input' | 'tainted'>): DangerLevel {
  const call = callOf(tool, input)
  // Rules say nothing about danger: it is the same under every policy.
  compiled ??= compilePolicy({})
  const level = call === undefined ? 'medium' : decide(compiled, call).danger
  return tainted && dangers.indexOf(level) < dangers.indexOf('high') ? 'high' : level
}

function callOf(tool: string, input: unknown): PolicyCall | undefined {
  const method = methods[tool]
  const { command, cwd, path } = Input.safeParse(input).data ?? {}
  if (method === undefined || (command === undefined && path === undefined)) return undefined
  return { tool: method, principalKind: 'ai', command, cwd, paths: path === undefined ? [] : [path] }
}
