import { readFile } from 'node:fs/promises'
import { Client, type PolicyTestAnswer } from '@cmdop/core'
import { compilePolicy, decide, Policy, PolicyMode, PrincipalKind, renderDecision } from '@cmdop/policy'
import { CmdopError, PolicyDocument, PolicyTestAnswer as PolicyTestAnswerSchema } from '@cmdop/protocol'
import { exitCodes } from '../exit-codes.ts'
import { wireNames, writeResource } from '../resource-json.ts'
import { printable, say, writeJson, writeStdout } from '../terminal.ts'

interface PolicyFlags {
  machine?: string
  json?: boolean
  signal: AbortSignal
}

/** `cmdop policy show`: the policy of the fleet, or of one machine beside it. */
export async function showPolicyCommand({ machine, signal }: PolicyFlags): Promise<number> {
  await using client = new Client()
  await writeResource(PolicyDocument, await client.policy.get({ ...(await scope(client, machine, signal)), signal }))
  return exitCodes.ok
}

/** `cmdop policy set <file>`: replaces it, once the examples of every rule have passed. */
export async function setPolicyCommand(file: string, { machine, json, signal }: PolicyFlags): Promise<number> {
  const policy = await readPolicy(file)
  await using client = new Client()
  return await replace(client, () => policy, { machine, json, signal })
}

/** `cmdop policy mode <mode>`: what becomes of what no rule is about. */
export async function policyModeCommand(text: string, { machine, json, signal }: PolicyFlags): Promise<number> {
  const mode = PolicyMode.safeParse(text).data
  if (mode === undefined)
    throw new CmdopError('config', `Expected the mode to be one of ${PolicyMode.options.join(', ')}, got "${text}".`)
  await using client = new Client()
  return await replace(client, (policy) => ({ ...policy, mode }), { machine, json, signal })
}

/** `cmdop policy test '<command>'`: what would be decided, by which rule, and what would permit it. Exit code 3: it is denied or asked about. */
export async function testPolicyCommand(
  commands: string[],
  { machine, json, signal, who = 'ai', file }: PolicyFlags & { who?: string; file?: string },
): Promise<number> {
  const kind = PrincipalKind.exclude(['machine', 'system']).safeParse(who).data
  if (kind === undefined)
    throw new CmdopError('config', `Expected --who to be human, ai, service or schedule, got "${who}".`)
  if (file !== undefined) return await testHere(commands, { kind, file, json })
  await using client = new Client()
  const { machineId } = await scope(client, machine, signal)
  const place = machineId === undefined ? {} : { machineId }
  const items = await client.policy.simulate(commands, { who: kind, ...place, signal })
  if (json === true) await writeJson(wireNames(PolicyTestAnswerSchema, { items }))
  else await writeStdout(`${items.map(render).join('\n\n')}\n`)
  return items.every(({ decision }) => decision === 'allow') ? exitCodes.ok : exitCodes.denied
}

/** A policy in a file, without a relay. */
async function testHere(
  commands: readonly string[],
  { kind, file, json }: { kind: PrincipalKind; file: string; json: boolean | undefined },
): Promise<number> {
  const compiled = compilePolicy({ fleet: await readPolicy(file) })
  const decided = commands.map((command) => decide(compiled, { tool: 'exec', principalKind: kind, command }))
  if (json === true) await writeJson({ items: decided })
  else await writeStdout(`${decided.map(renderDecision).join('\n\n')}\n`)
  return decided.every(({ decision }) => decision === 'allow') ? exitCodes.ok : exitCodes.denied
}

async function replace(
  client: Client,
  change: (policy: Policy) => Policy,
  { machine, json, signal }: { machine: string | undefined; json: boolean | undefined; signal: AbortSignal },
): Promise<number> {
  const place = await scope(client, machine, signal)
  const { policy, version } = await client.policy.get({ ...place, signal })
  const after = await client.policy.set({ policy: change(Policy.parse(policy)), version }, { ...place, signal })
  if (json === true) await writeResource(PolicyDocument, after)
  else
    await say(`the policy ${machine === undefined ? 'of the fleet' : `of ${machine}`} is version ${after.version} now`)
  return exitCodes.ok
}

async function scope(
  client: Client,
  machine: string | undefined,
  signal: AbortSignal,
): Promise<{ machineId?: string }> {
  return machine === undefined ? {} : { machineId: (await client.machines.resolve(machine, { signal })).id }
}

async function readPolicy(file: string): Promise<Policy> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CmdopError('config', `${file} cannot be read.`, { cause })
  })
  const parsed = Policy.safeParse(parseJson(text, file))
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the policy'}: ${message}`)
  throw new CmdopError('validation', `${file} is no policy: ${issues.slice(0, 10).join('; ')}`)
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CmdopError('config', `${file} is not JSON: ${cause instanceof Error ? cause.message : ''}`, { cause })
  }
}

function render(item: PolicyTestAnswer['items'][number]): string {
  const { call, decision, reason, rule, danger, dangerReason, deletes, permittedBy } = item
  return [
    call,
    `  ${decision}: ${reason}`,
    `  rule: ${rule}`,
    `  class: ${item.class}`,
    `  danger: ${danger}. ${dangerReason}`,
    ...(deletes ? ['  remembered: never, as it deletes'] : []),
    ...(permittedBy === '' ? [] : [`  permitted by: ${permittedBy}`]),
  ]
    .map(printable)
    .join('\n')
}
