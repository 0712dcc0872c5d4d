import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AuditLog } from '@cmdop/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli, startCli } from './processes/cli.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let folder = ''
let env: Record<string, string> = {}
beforeAll(async () => {
  world = await startWorld()
  folder = await world.folder()
  env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
  await world.handle.exec('exit 3')
})
afterAll(() => world[Symbol.asyncDispose]())

test('cmdop audit log lists rows, the newest first, by what they say', async () => {
  await waitFor('the outcome is there', async () => {
    const { items } = await world.client.audit.getLogs({ action: 'exec', kind: 'outcome' })
    return items.length > 0
  })
  const { code, stdout } = await runCli(['audit', 'log', '--machine', world.machine.name, '--since', '1h'], env)
  const [header = '', first = '', second = ''] = stdout.split('\n')
  expect(code).toBe(0)
  expect(header).toMatch(/^AT +KIND +ACTION +DECISION +CODE +WHO +MACHINE +ABOUT +ROW$/)
  expect(first).toMatch(/outcome +exec +allow +exit 3 +owner .* main#\d+$/)
  expect(second).toMatch(/intent +exec +allow +- +owner /)
  const json = await runCli(['audit', 'log', '--json', '--limit', '1', '--oldest'], env)
  expect(JSON.parse(json.stdout)).toMatchObject({ items: [{ action: 'relay.start', sequence: 1 }] })
  expect((await runCli(['audit', 'log', '--since', 'yesterday'], env)).code).toBe(2)
})

test('cmdop audit log finds rows by every column', async () => {
  const about = { agentType: 'terminal', model: 'scripted:scripted', title: 'Look', machineId: world.machine.id }
  await world.client.runs.create({ ...about, runId: randomUUID(), entry: { v: 1, type: 'run_started' } })
  const { items } = await world.client.audit.getLogs({ kind: 'outcome' })
  const flagsOf = (row: AuditLog) => {
    const values: Record<string, string | number | null> = {
      id: row.id,
      kind: row.kind,
      principal: row.principalId,
      'principal-name': row.principalName,
      'principal-kind': row.principalKind,
      key: row.keyId,
      action: row.action,
      machine: row.machineId,
      run: row.runId,
      call: row.callId,
      'agent-type': row.agentType,
      model: row.model,
      subject: row.subject,
      digest: row.digest,
      decision: row.decision,
      rule: row.rule,
      'exit-code': row.exitCode,
      bytes: row.bytes,
      offset: row.offset,
      'duration-min': row.durationMs ? `${row.durationMs}ms` : null,
      'duration-max': row.durationMs ? `${row.durationMs}ms` : null,
      request: row.requestId,
      intent: row.intentId,
      chain: row.chain,
      sequence: row.sequence,
    }
    return Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [`--${name}`, String(value)]))
  }
  for (const action of ['exec', 'run.write']) {
    const row = items.find((each) => each.action === action) as AuditLog
    const flags = flagsOf(row)
    expect(JSON.parse((await runCli(['audit', 'log', '--json', ...flags], env)).stdout).items, action).toEqual([row])
    const other = ['--principal-name', 'nobody', '--model', 'none', '--bytes', '77', '--sequence', '999999']
    for (let at = 0; at < other.length; at += 2) {
      const args = ['audit', 'log', '--json', '--limit', '1', ...other.slice(at, at + 2)]
      expect(JSON.parse((await runCli(args, env)).stdout).items, other[at]).toEqual([])
    }
  }
  expect((await runCli(['audit', 'log', '--exit-code', 'three'], env)).code).toBe(2)
})

test('cmdop audit export and verify prove the log with nothing but the file and the key', async () => {
  const [file, key] = [join(folder, 'audit.jsonl'), join(folder, 'relay.pem')]
  await writeFile(key, (await runCli(['audit', 'key'], env)).stdout)
  const { stdout: exported } = await runCli(['audit', 'export'], env)
  await writeFile(file, exported)
  // Without an address or a key of any relay.
  const whole = await runCli(['audit', 'verify', file, '--key', key])
  expect(whole).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^\d+ rows in 1 chain, /) })
  const piped = await startCli(['audit', 'verify', '-', '--key', key, '--json'], {}, exported).done
  expect(JSON.parse(piped.stdout)).toMatchObject({ ok: true, firstProblem: null, relayId: world.relay.relayId })

  await writeFile(file, exported.replace('"exec"', '"facts"'))
  const changed = await runCli(['audit', 'verify', file, '--key', key])
  expect(changed).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/changed: line \d+: Row \d+ of/) })
  await writeFile(file, exported.slice(0, -20))
  const cut = await runCli(['audit', 'verify', file, '--key', key, '--json'])
  expect(cut.code).toBe(1)
  expect(JSON.parse(cut.stdout)).toMatchObject({ ok: false, firstProblem: { kind: 'truncated' } })
  expect((await runCli(['audit', 'verify', join(folder, 'none'), '--key', key])).code).toBe(2)
  expect((await runCli(['audit', 'verify', file, '--key', file])).code).toBe(2)
})

test('cmdop audit verify finds what a checkpoint that was kept elsewhere contradicts', async () => {
  const kept = join(folder, 'checkpoints.jsonl')
  await using own = await startWorld({ machines: 0, relay: { auditSinks: [`file:${kept}`] } })
  const ownEnv = { CMDOP_BASE_URL: own.relay.url, CMDOP_TOKEN: own.relay.firstKey }
  const older = join(folder, 'older.jsonl')
  await writeFile(older, (await runCli(['audit', 'export'], ownEnv)).stdout)
  await writeFile(join(folder, 'own.pem'), (await runCli(['audit', 'key'], ownEnv)).stdout)
  const verify = (file: string) =>
    runCli(['audit', 'verify', file, '--key', join(folder, 'own.pem'), '--checkpoints', kept])
  await waitFor(
    'the checkpoint of the export was sent',
    async () => (await readFile(kept, 'utf8').catch(() => '')) !== '',
  )
  expect(await verify(older)).toMatchObject({ code: 0 })
  const newer = join(folder, 'newer.jsonl')
  await writeFile(newer, (await runCli(['audit', 'export'], ownEnv)).stdout)
  await waitFor('so was the next', async () => (await readFile(kept, 'utf8')).trimEnd().split('\n').length === 2)
  expect(await verify(newer)).toMatchObject({ code: 0 })
  expect(await verify(older)).toMatchObject({ code: 1, stderr: expect.stringContaining('later rows are gone') })
})

test('cmdop audit follow prints rows as they are written, one JSON document a line', async () => {
  const following = startCli(['audit', 'follow', '--action', 'file.*', '--json'], env)
  await waitFor('it follows', async () => {
    const { items } = await world.client.audit.getLogs({ subject: 'audit:events', kind: 'outcome' })
    return items.length > 0
  })
  await world.handle.files.stat('/etc')
  await waitFor('intent and outcome came', () => following.stdout().split('\n').length === 3)
  following.child.kill('SIGINT')
  const { stdout, code } = await following.done
  expect(code).toBe(0)
  const kinds = stdout.trimEnd().split('\n')
  expect(kinds.map((line) => (JSON.parse(line) as { kind: string }).kind)).toEqual(['intent', 'outcome'])
})
