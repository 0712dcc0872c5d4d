import { type Facts, isCmdopError } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { createAgent } from '../agent.ts'
import { localMachine } from '../testing/local-machine.ts'
import { sampleFacts } from '../testing/sample-facts.ts'

const ServerHealth = z.object({
  hostname: z.string(),
  cpu_percent: z.number(),
  memory_percent: z.number(),
  disk_free_gb: z.number(),
  services: z.array(z.string()),
  issues: z.array(z.string()),
})

function agentOn(changes: Partial<Facts> = {}) {
  return createAgent({ machine: localMachine(sampleFacts(changes)), env: {} })
}

async function read(outputSchema: z.ZodType, changes: Partial<Facts> = {}): Promise<unknown> {
  const { output } = await agentOn(changes).run('Read the machine', { outputSchema })
  return output
}

async function refusal(outputSchema: z.ZodType, changes: Partial<Facts> = {}) {
  const error: unknown = await read(outputSchema, changes).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!isCmdopError(error)) throw new Error('Expected a refusal.')
  expect(error.code).toBe('model_refused')
  return error
}

test('a health check is filled from the facts through the same loop and tools', async () => {
  const result = await agentOn().run('Check server health and identify any issues', { outputSchema: ServerHealth })
  expect(result.output).toEqual({
    hostname: 'web-1',
    cpu_percent: 12.35,
    memory_percent: 25,
    disk_free_gb: 60,
    services: ['nginx', 'ssh'],
    issues: [],
  })
  expect(result).toMatchObject({
    model: { provider: 'cmdop', id: 'facts' },
    strategy: 'final_result',
    toolCalls: [{ tool: 'facts' }],
    usage: { totalTokens: 0 },
  })
  expect(result.steps).toHaveLength(2)
  expect(result.text).toContain(
    'Thresholds: CPU > 90 %, memory > 90 %, disk > 90 %, load per core > 2, failed services.',
  )
})

test('two runs give the same output', async () => {
  expect(await read(ServerHealth)).toEqual(await read(ServerHealth))
})

test('what is over its threshold is an issue', async () => {
  const facts = sampleFacts()
  const output = await read(z.object({ issues: z.array(z.string()), healthy: z.boolean() }), {
    cpu: { ...facts.cpu, usedPercent: 97.25 },
    load: { one: 5, five: 1, fifteen: 1 },
    memory: { totalBytes: 100, availableBytes: 5, usedPercent: 95 },
    disks: facts.disks?.map((disk) => ({ ...disk, usedPercent: disk.mount === '/var' ? 99 : 10 })) ?? null,
    services: { source: 'systemd', running: [], failed: ['backup'] },
  })
  expect(output).toEqual({
    healthy: false,
    issues: [
      'CPU use is 97.3 % (over 90 %)',
      'Load is 5 on 2 cores (over 2 per core)',
      'Memory use is 95 % (over 90 %)',
      'Disk /var is 99 % full (over 90 %)',
      'Service backup has failed',
    ],
  })
})

const n = z.number()
test.each([
  ['hostName', z.string(), 'web-1'],
  ['machine_name', z.string(), 'web-1'],
  ['cpuPercent', n, 12.35],
  ['cpu_usage', n, 12.35],
  ['cpuCores', z.int(), 2],
  ['cpu_count', z.int(), 2],
  ['cpu_model', z.string(), 'Example CPU'],
  ['memoryUsedPercent', n, 25],
  ['mem_usage', n, 25],
  ['memory_total_gb', n, 8],
  ['memoryUsedMb', z.int(), 2000],
  ['ram_available_bytes', z.int(), 6_000_000_000],
  ['disk_total_gb', n, 100],
  ['disk_used_gb', n, 40],
  ['root_disk_usage_percent', n, 40],
  ['free_disk_space_gb', n, 60],
  ['disk_free_percent', n, 60],
  ['disk_usage', z.string(), '40 %'],
  ['disk_free_gb', z.int(), 60],
  ['load_average', z.array(n), [0.5, 0.4, 0.3]],
  ['load', n, 0.5],
  ['load1', n, 0.5],
  ['load_5m', n, 0.4],
  ['loadAvg15', n, 0.3],
  ['uptime_seconds', z.int(), 187_200],
  ['uptimeHours', n, 52],
  ['uptime_days', n, 2.17],
  ['uptime', z.string(), '2 d 4 h 0 min'],
  ['os', z.string(), 'Debian GNU/Linux 12'],
  ['operating_system', z.string(), 'Debian GNU/Linux 12'],
  ['os_version', z.string(), '12'],
  ['kernel_version', z.string(), '6.1.0-18'],
  ['architecture', z.string(), 'x64'],
  ['runningServices', z.array(z.string()), ['nginx', 'ssh']],
  [
    'services',
    z.array(z.object({ name: z.string(), status: z.string() })),
    [
      { name: 'nginx', status: 'running' },
      { name: 'ssh', status: 'running' },
    ],
  ],
  ['failed_services', z.array(z.string()), []],
  ['service_count', z.int(), 2],
  ['open_ports', z.array(z.int()), [22, 68]],
  ['tcp_ports', z.array(z.int()), [22]],
  ['listeningPorts', z.array(z.string()), ['22/tcp', '68/udp']],
  [
    'ports',
    z.array(z.object({ port: z.int(), process: z.string().nullable() })),
    [
      { port: 22, process: 'sshd' },
      { port: 22, process: 'sshd' },
      { port: 68, process: null },
    ],
  ],
  ['containers', z.array(z.string()), ['db', 'old']],
  [
    'running_containers',
    z.array(z.object({ name: z.string(), image: z.string() })),
    [{ name: 'db', image: 'postgres:17' }],
  ],
  ['process_count', z.int(), 80],
  [
    'top_processes',
    z.array(z.object({ pid: z.int(), name: z.string(), cpu_percent: n })),
    [{ pid: 7, name: 'nginx', cpu_percent: 3 }],
  ],
  [
    'disks',
    z.array(z.object({ mount: z.string(), free_gb: n, used_percent: n })),
    [
      { mount: '/', free_gb: 60, used_percent: 40 },
      { mount: '/var', free_gb: 40, used_percent: 20 },
    ],
  ],
  [
    'disks',
    z.array(z.object({ mount: z.string(), disk_free_gb: n })),
    [
      { mount: '/', disk_free_gb: 60 },
      { mount: '/var', disk_free_gb: 40 },
    ],
  ],
  ['memory', z.object({ total_gb: n, percent: n }), { total_gb: 8, percent: 25 }],
  [
    'system',
    z.object({ kernel: z.string(), cpu: z.object({ cores: z.int() }) }),
    { kernel: '6.1.0-18', cpu: { cores: 2 } },
  ],
  ['kind', z.literal('health'), 'health'],
  ['checked_at', z.string(), '2026-01-02T03:04:05Z'],
  ['is_healthy', z.boolean(), true],
  ['x', n.describe('CPU usage percentage'), 12.35],
  ['ram', n.describe('Used memory in %'), 25],
  ['space', n.describe('Free space on the root file system, in GB'), 60],
  ['services', z.array(z.string()).describe('Running services'), ['nginx', 'ssh']],
  ['services', z.array(z.string()).describe('Services that failed'), []],
  ['issues', z.array(z.string()).describe('Detected problems'), []],
])('the field %s is read', async (name, schema: z.ZodType, value) => {
  await expect(read(z.object({ [name]: schema }))).resolves.toEqual({ [name]: value })
})

test.each([
  ['root_cause', z.string()],
  ['cpu_percent_threshold', n],
  ['previous_cpu_percent', n],
  ['memory_total', n],
  ['disk_total', n],
  ['services', z.string()],
  ['hostname', n],
  ['recommendations', z.array(z.string())],
  ['success', z.boolean()],
  ['error', z.string().nullable()],
  ['note', z.string().optional()],
  ['port', z.int()],
  ['swap_used_gb', n],
  ['disk_free_gb', n.describe('Free space on /var in GB')],
  ['services', z.array(z.string()).describe('Services that failed in the last hour')],
  ['host', z.string().describe('Name of the previous owner of the host')],
  ['metrics', z.record(z.string(), n)],
])('the field %s is not understood and is refused by its name, with what to set', async (name, schema: z.ZodType) => {
  const error = await refusal(z.object({ hostname: z.string(), [name]: schema }))
  expect(error.details).toMatchObject({ foreign: [name], unreadable: [] })
  expect(error.message).toContain('set ANTHROPIC_API_KEY, OPENAI_API_KEY or CMDOP_MODEL_BASE_URL')
})

test('a list of objects is judged by its fields even when it is empty', async () => {
  await expect(read(z.object({ issues: z.array(z.object({ description: z.string() })) }))).resolves.toEqual({
    issues: [],
  })
  const error = await refusal(
    z.object({ issues: z.array(z.object({ description: z.string(), severity: z.string() })) }),
  )
  expect(error.details.foreign).toEqual(['issues.severity'])
})

test('an array, a number or a text alone is read by its description', async () => {
  await expect(read(z.array(z.string()).describe('Running services'))).resolves.toEqual(['nginx', 'ssh'])
  await expect(read(z.number().describe('CPU usage percentage'))).resolves.toBe(12.35)
  await refusal(z.array(z.string()))
})

test('all fields in the way are named, with the reason the machine gave', async () => {
  const error = await refusal(
    z.object({ cause: z.string(), containers: z.array(z.string()), nested: z.object({ plan: z.string() }) }),
    {
      containers: null,
      unavailable: [{ fact: 'containers', reason: 'no permission on the socket' }],
    },
  )
  expect(error.details.fields).toEqual(['cause', 'nested.plan', 'containers'])
  expect(error.message).toContain('containers (no permission on the socket)')
})

test('what could not be read is null where it may be, left out where it may be, and never an empty list', async () => {
  const unread = { services: null, containers: null, load: null }
  await expect(
    read(
      z.object({
        services: z.array(z.string()).nullable(),
        containers: z.array(z.string()).optional(),
        load: n.nullable(),
        hostname: z.string(),
      }),
      unread,
    ),
  ).resolves.toEqual({ services: null, load: null, hostname: 'web-1' })
  await refusal(z.object({ services: z.array(z.string()) }), unread)
})

test('nobody is called healthy when the processors could not be read', async () => {
  const cpu = { ...sampleFacts().cpu, usedPercent: null }
  await expect(
    read(z.object({ issues: z.array(z.string()).nullable(), healthy: z.boolean().nullable() }), { cpu }),
  ).resolves.toEqual({
    issues: null,
    healthy: null,
  })
})

test('what was not checked is said', async () => {
  const services = { source: 'listening-processes', running: ['nginx'], failed: null }
  const { text } = await agentOn({ services }).run('Check', { outputSchema: ServerHealth })
  expect(text).toContain('Not checked: failed services.')
})

test('who asks for processes is told how many of them the facts have', async () => {
  const top = await agentOn().run('Read', { outputSchema: z.object({ processes: z.array(z.string()) }) })
  expect(top.text).toContain('Of 80 processes the facts have the 1 busiest.')
  const { text } = await agentOn().run('Read', { outputSchema: ServerHealth })
  expect(text).not.toContain('busiest')
})

test('a request for an action is answered with a reading that says so', async () => {
  const { text } = await agentOn().run('Restart nginx and check health', { outputSchema: ServerHealth })
  expect(text).toContain('only reads: nothing was changed')
})

test('a prompt without a schema is refused', async () => {
  await expect(agentOn().run('How are you?')).rejects.toMatchObject({
    code: 'model_refused',
    message: expect.stringContaining('outputSchema') as string,
  })
})

test('a schema that the readings do not fit is refused with its issues', async () => {
  const error = await refusal(z.object({ cpu_percent: n.min(50) }))
  expect(error.message).toContain('cpu_percent: Too small')
})

test('one step is enough, as the answer has one of its own', async () => {
  await expect(agentOn().run('Check', { outputSchema: ServerHealth, budget: { steps: 1 } })).resolves.toMatchObject({
    stoppedBy: 'steps',
  })
})

test('without the tool facts it refuses, and says so', async () => {
  await expect(agentOn().run('Check', { outputSchema: ServerHealth, builtInTools: [] })).rejects.toMatchObject({
    code: 'model_refused',
    message: expect.stringContaining('no tool to read the facts') as string,
  })
})

test('a list that was cut on its way is not given as the whole', async () => {
  const port = { protocol: 'tcp', address: '0.0.0.0', port: 1, process: null } as const
  const ports = Array.from({ length: 1001 }, (_, index) => ({ ...port, port: index + 1 }))
  await refusal(z.object({ open_ports: z.array(z.int()) }), { ports })
  await expect(read(z.object({ port_count: z.int() }), { ports })).resolves.toEqual({ port_count: 1001 })
  await refusal(z.object({ tcp_port_count: z.int() }), { ports })
})
