import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { EffectDetails, EffectInfo, EffectPage } from '@cmdop/protocol'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hasViews } from '../testing/has-views.ts'
import { hasProgram } from '../testing/has-program.ts'
import { hostOf } from '../testing/host-of.ts'
import { runExec, startExec } from '../testing/run-exec.ts'
import { type SessionWorld, startSessionWorld } from '../testing/session-world.ts'
import { Restricted } from './restricted.ts'

const isRoot = process.getuid?.() === 0
const ai = { principalId: 'prn_ai', principalKind: 'ai', principalName: 'Robot' } as const

let world: SessionWorld
let kept = ''
let made = ''
beforeAll(async () => {
  world = await startSessionWorld()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(() => {
  kept = join(world.folder, 'kept.txt')
  made = join(world.folder, 'made.txt')
  rmSync(made, { force: true })
  writeFileSync(kept, 'kept')
})

const run = (command: string, restrictions: Record<string, unknown>) => runExec(world, { command, restrictions })
const apply = (effectId: string, hash: string, caller = {}) => world.ask('effect.apply', { effectId, hash }, caller)
const info = async (effectId: string) => EffectDetails.parse(await world.ask('effect.get', { effectId }))
/** State folders that are there still, but for one that is built ahead. */
const views = () =>
  readdirSync(join(world.dataDir, 'restricted', 'views')).filter((name) => !name.startsWith('prepared-'))

describe.runIf(hasViews)('a command under dryRun', () => {
  test('changes nothing, and its effect can be looked at, applied and taken back', async () => {
    const { stdout, stderr, end } = await run('rm kept.txt; echo new > made.txt; ls; echo oops >&2; exit 3', {
      dryRun: true,
    })
    expect({ stdout, stderr, exitCode: end.exitCode }).toMatchObject({ stderr: 'oops\n', exitCode: 3 })
    expect(stdout).toContain('made.txt\n')
    expect(readFileSync(kept, 'utf8')).toBe('kept')
    expect(existsSync(made)).toBe(false)
    const { effectId, hash, state, counts } = end.effect ?? expect.fail('There is no effect.')
    expect({ state, counts }).toEqual({ state: 'pending', counts: { added: 1, deleted: 1 } })
    const details = await info(effectId)
    expect(details.info).toMatchObject({ kind: 'exec', state: 'pending', restrictions: { dryRun: true } })
    expect(details.list?.effects.map(({ kind, path }) => [kind, path])).toEqual([
      ['deleted', kept],
      ['added', made],
    ])
    expect(EffectInfo.parse(await apply(effectId, hash))).toMatchObject({ state: 'applied', hash })
    expect(existsSync(kept)).toBe(false)
    expect(readFileSync(made, 'utf8')).toBe('new\n')
    await expect(apply(effectId, hash)).rejects.toMatchObject({ code: 'conflict' })
    expect(await world.ask('effect.undo', { effectId })).toMatchObject({ state: 'undone' })
    expect(readFileSync(kept, 'utf8')).toBe('kept')
    expect(existsSync(made)).toBe(false)
    expect((await info(effectId)).list?.counts).toEqual({ added: 1, deleted: 1 })
  })

  test('is applied only with its hash, by nobody who is an AI, and not onto a disk that changed', async () => {
    const { end } = await run('echo more >> kept.txt', { dryRun: true })
    const { effectId, hash } = end.effect ?? expect.fail('There is no effect.')
    await expect(apply(effectId, 'ab'.repeat(32))).rejects.toMatchObject({ code: 'effect_conflict' })
    await expect(apply(effectId, hash, ai)).rejects.toMatchObject({ code: 'permission' })
    await expect(world.ask('effect.discard', { effectId }, ai)).rejects.toMatchObject({ code: 'permission' })
    writeFileSync(kept, 'changed')
    await expect(apply(effectId, hash)).rejects.toMatchObject({ code: 'effect_conflict', details: { paths: [kept] } })
    expect(readFileSync(kept, 'utf8')).toBe('changed')
    expect(await world.ask('effect.discard', { effectId })).toMatchObject({ state: 'discarded' })
    expect(await world.ask('effect.discard', { effectId })).toMatchObject({ state: 'discarded' })
    expect(views()).not.toContain(effectId)
    await expect(apply(effectId, hash)).rejects.toMatchObject({ code: 'conflict' })
    const { items } = EffectPage.parse(await world.ask('effect.list', { limit: 1 }))
    expect(items).toMatchObject([{ effectId, state: 'discarded' }])
  })

  test('that only looks has no effect, and leaves nothing', async () => {
    const { callId, result } = await startExec(world, { command: 'cat kept.txt', restrictions: { dryRun: true } })
    const { end, stdout } = await result
    expect({ stdout, effect: end.effect }).toEqual({ stdout: 'kept', effect: undefined })
    await expect.poll(views).not.toContain(callId)
  })

  test('takes stdin, and is ended with what it left in the background, which is counted', async () => {
    const running = await startExec(world, {
      command: 'cat; touch made.txt; sleep 7654 & setsid -f sleep 7655; echo done',
      stdin: true,
      restrictions: { dryRun: true },
    })
    await running.write('typed\n')
    const { stdout, end } = await running.result
    expect({ stdout, reason: end.reason }).toEqual({ stdout: 'typed\ndone\n', reason: 'exited' })
    const { list } = await info(end.effect?.effectId ?? '')
    expect(list?.sideEffects).toMatchObject({ network: 'none', backgroundKilled: 2 })
  })

  test('sees nothing of the daemon', async () => {
    const { stdout } = await run(`ls -A '${world.dataDir}' | wc -l`, { dryRun: true })
    expect(stdout.trim()).toBe('0')
  })

  test('sees nothing of the daemon, or of what else is hidden, where these were named by a link', async () => {
    const [daemon, other, link] = ['linked-daemon', 'linked-other', 'link'].map((name) => join(world.folder, name)) as [
      string,
      string,
      string,
    ]
    mkdirSync(other)
    writeFileSync(join(other, 'secret'), 'secret')
    symlinkSync(world.folder, link)
    const hidden = [join(link, 'linked-other'), join(link, 'none')]
    const log = pino({ level: 'silent' })
    await using restricted = new Restricted({ dataDir: join(link, 'linked-daemon'), hidden, log })
    const createdBy = { principalId: 'prn_one', principalKind: 'human', name: 'One' } as const
    const origin = {
      effectId: 'call_linked',
      kind: 'exec',
      title: '',
      restrictions: { dryRun: true },
      createdBy,
    } as const
    const transaction = await restricted.begin(origin, { cwd: '/' })
    const script = `cat '${daemon}'/restricted/effects/* '${other}/secret' '${link}/linked-other/secret'; echo over`
    const env = { PATH: '/usr/bin:/bin' }
    const program = await transaction.sandbox.spawn({ file: 'sh', args: ['-c', script], cwd: '/', env, stdin: false })
    expect(Buffer.concat(await Array.fromAsync(program.stdout)).toString()).toBe('over\n')
    await transaction.discard()
    for (const path of [daemon, other, link]) rmSync(path, { recursive: true })
  })
})

describe.runIf(hasViews)('a command under noDelete', () => {
  test('is applied at once when it deletes nothing, and can be taken back', async () => {
    const { end } = await run('echo more >> kept.txt; echo new > made.txt; rm -f nothing; touch x && rm x', {
      noDelete: true,
    })
    expect(end.effect).toMatchObject({ state: 'applied', counts: { added: 1, modified: 1 } })
    expect(readFileSync(kept, 'utf8')).toBe('keptmore\n')
    await expect.poll(views).not.toContain(end.effect?.effectId)
    expect(await world.ask('effect.undo', { effectId: end.effect?.effectId })).toMatchObject({ state: 'undone' })
    expect(readFileSync(kept, 'utf8')).toBe('kept')
    expect(existsSync(made)).toBe(false)
  })

  test('also where it changes no more than the time of a file, or of a directory', async () => {
    const { end } = await run('touch -d 2001-01-01 kept.txt', { noDelete: true })
    expect(end.effect).toMatchObject({ state: 'applied', counts: { metadata: 1 } })
    expect(statSync(kept).mtime.getFullYear()).toBe(2001)
    const { end: none } = await run('touch made.txt; rm made.txt; touch -d 2001-01-01 .', { noDelete: true })
    expect(none.effect?.state).not.toBe('pending')
    expect(statSync(world.folder).mtime.getFullYear()).toBe(2001)
  })

  test('does nothing at all when it deletes something, names it, and a person may apply it', async () => {
    const { end } = await run('touch made.txt; rm kept.txt', { noDelete: true })
    const { effectId, hash, ...effect } = end.effect ?? expect.fail('There is no effect.')
    expect(effect).toMatchObject({
      state: 'pending',
      refusal: { code: 'restriction_violated', paths: [kept], pathCount: 1 },
    })
    expect([existsSync(kept), existsSync(made)]).toEqual([true, false])
    expect(await apply(effectId, hash)).toMatchObject({ state: 'applied' })
    expect([existsSync(kept), existsSync(made)]).toEqual([false, true])
    await world.ask('effect.undo', { effectId })
  })

  test('names thousands of paths within its trailer', async () => {
    for (let number = 0; number < 1000; number += 1)
      writeFileSync(join(world.folder, `many-${number}-${'x'.repeat(50)}`), '')
    const { end } = await run('rm many-*', { noDelete: true })
    const { paths = [], pathCount = 0 } = end.effect?.refusal ?? {}
    expect(pathCount).toBeGreaterThanOrEqual(200)
    expect(JSON.stringify(paths).length).toBeLessThan(4500)
    expect(JSON.stringify(end).length).toBeLessThan(16_384)
    await world.ask('effect.discard', { effectId: end.effect?.effectId })
  })

  test('may overwrite, and under noOverwrite it may not', async () => {
    expect((await run('echo other > kept.txt', { noDelete: true })).end.effect).toMatchObject({ state: 'applied' })
    expect((await run('echo third > kept.txt', { noOverwrite: true })).end.effect).toMatchObject({
      state: 'pending',
      refusal: { paths: [kept] },
    })
    expect(readFileSync(kept, 'utf8')).toBe('other\n')
  })

  test('that is cancelled, or has run out of time, has changed nothing', async () => {
    const params = { command: 'echo x > made.txt; echo ready; sleep 1000', restrictions: { noDelete: true } }
    const cancelled = await startExec(world, params)
    await cancelled.shows('ready')
    await cancelled.cancel()
    const { end } = await cancelled.result
    expect(end).toMatchObject({
      reason: 'cancelled',
      effect: { state: 'pending', refusal: { code: 'cancelled' }, counts: { added: 1 } },
    })
    const late = await runExec(world, params, { deadlineMs: 1500 })
    expect(late.end).toMatchObject({ reason: 'deadline', effect: { state: 'pending', refusal: { code: 'cancelled' } } })
    expect(existsSync(made)).toBe(false)
  })

  test('whose client is lost is ended, and has changed nothing', async () => {
    const connection = await world.connect()
    const params = {
      command: 'echo x > made.txt; echo ready; sleep 1000',
      restrictions: { noDelete: true },
      orphanMs: 0,
    }
    const running = await startExec(world, params, { connection })
    await running.shows('ready')
    await connection[Symbol.asyncDispose]()
    await expect.poll(async () => (await info(running.callId)).info.state).toBe('pending')
    expect((await info(running.callId)).info.refusal).toMatchObject({ code: 'cancelled' })
    expect(existsSync(made)).toBe(false)
  })

  test('whose sandbox is killed with it has changed nothing, and a person may apply what it had done', async () => {
    const command = 'echo x > made.txt; echo ready; sleep 1000.75'
    const running = await startExec(world, { command, restrictions: { noDelete: true } })
    await running.shows('ready')
    process.kill(await hostOf('1000.75'), 'SIGKILL')
    const { end } = await running.result
    expect(end).toMatchObject({ signal: 'SIGKILL', effect: { state: 'pending', refusal: { code: 'cancelled' } } })
    expect(existsSync(made)).toBe(false)
    expect(await apply(end.effect?.effectId ?? '', end.effect?.hash ?? '')).toMatchObject({ state: 'applied' })
    expect(readFileSync(made, 'utf8')).toBe('x\n')
  })

  test('of two at once on one file one is applied, and the other waits with the path that was changed', async () => {
    const start = (line: string) =>
      startExec(world, {
        command: `echo ${line} >> kept.txt; echo ready; cat`,
        stdin: true,
        restrictions: { noDelete: true },
      })
    const both = [await start('one'), await start('two')]
    for (const each of both) await each.shows('ready')
    for (const each of both) await each.write('over\n')
    const effects = (await Promise.all(both.map((each) => each.result))).map(({ end }) => end.effect)
    expect(new Set(effects.map((effect) => effect?.state))).toEqual(new Set(['applied', 'pending']))
    const refused = effects.find((effect) => effect?.state === 'pending')
    expect(refused).toMatchObject({ refusal: { code: 'effect_conflict', paths: [kept] } })
    expect(readFileSync(kept, 'utf8')).toMatch(/^kept(one|two)\n$/)
    await expect(apply(refused?.effectId ?? '', refused?.hash ?? '')).rejects.toMatchObject({ code: 'effect_conflict' })
  })

  test.runIf(isRoot && ['setfacl', 'getfacl', 'setcap', 'getcap'].every(hasProgram))(
    'access lists, capabilities, holes and names that are one file are as the view showed them, once applied and once undone',
    async () => {
      const tool = join(world.folder, 'tool')
      copyFileSync('/bin/true', tool)
      const look =
        'getfacl -cp kept.txt tool; getcap tool; stat -c "%n %s %h %a" *.txt tool large name 2>&1; du -k large 2>/dev/null | cut -f1'
      const before = (await runExec(world, { command: look })).stdout
      const change =
        'setfacl -m u:nobody:r kept.txt; setcap cap_net_raw+ep tool; truncate -s 1G large; echo end >> large; ln kept.txt name'
      const { end } = await run(`${change}; ${look} > /tmp/cmdop-seen; cat /tmp/cmdop-seen; rm /tmp/cmdop-seen`, {
        dryRun: true,
      })
      const shown = await run(`${change}; ${look}`, { dryRun: true })
      expect((await runExec(world, { command: look })).stdout).toBe(before)
      await apply(end.effect?.effectId ?? '', end.effect?.hash ?? '')
      expect((await runExec(world, { command: look })).stdout).toBe(shown.stdout)
      expect(shown.stdout).toMatch(/user:nobody:r--[\s\S]*cap_net_raw/)
      await world.ask('effect.undo', { effectId: end.effect?.effectId })
      expect((await runExec(world, { command: look })).stdout).toBe(before)
      rmSync(tool)
    },
  )

  test('that runs still is looked at as it is, and not decided on', async () => {
    const running = await startExec(world, {
      command: 'echo x > made.txt; echo ready; sleep 1000',
      restrictions: { dryRun: true },
    })
    await running.shows('ready')
    const { info: open, list } = await info(running.callId)
    expect(open).toMatchObject({ state: 'open', hash: null })
    expect(list?.counts).toEqual({ added: 1 })
    await expect(apply(running.callId, list?.hash ?? '')).rejects.toMatchObject({ code: 'conflict' })
    await running.cancel()
    expect((await running.result).end.effect).toMatchObject({ state: 'pending', hash: list?.hash })
  })
})

describe.runIf(hasViews)('other restrictions of a command', () => {
  test('readOnly and writablePaths hold, and have no effect', async () => {
    const { stdout, end } = await run('touch /etc/cmdop-x 2>&1', { readOnly: true })
    expect(stdout).toContain('Read-only')
    expect(end.effect).toBeUndefined()
    await run(`echo x > '${world.folder}/made.txt'; echo y > /var/tmp/cmdop-none`, { writablePaths: [world.folder] })
    expect(readFileSync(made, 'utf8')).toBe('x\n')
    expect(existsSync('/var/tmp/cmdop-none')).toBe(false)
    await run('rm made.txt', { writablePaths: [world.folder] })
  })

  test('network none leaves a loopback only', async () => {
    const { stdout } = await run('tail -n +3 /proc/net/dev | cut -d: -f1', { noNetwork: true })
    expect(stdout.trim()).toBe('lo')
  })

  test('noSudo lets no rights be gained', async () => {
    const restrictions = { noSudo: true, ...(isRoot && { runAs: 'nobody' }) }
    const { stdout } = await runExec(world, {
      command: 'id -u; grep NoNewPrivs /proc/self/status',
      cwd: '/',
      restrictions,
    })
    expect(stdout).toMatch(/^[1-9]\d*\nNoNewPrivs:\t1\n$/)
  })

  test('limits hold, and a view that grows over its own is not applied', async () => {
    expect((await run('ulimit -n', { limits: { openFiles: 17 } })).stdout).toBe('17\n')
    const { end } = await run('while :; do head -c 1000000 /dev/zero >> big; sleep 0.02; done', {
      noDelete: true,
      limits: { viewBytes: 4 * 1024 * 1024 },
    })
    expect(end).toMatchObject({ signal: 'SIGKILL', effect: { state: 'pending', refusal: { code: 'no_space' } } })
    expect(existsSync(join(world.folder, 'big'))).toBe(false)
  })

  test('what cannot be held is refused before anything runs', async () => {
    const restrictions = isRoot ? { noSudo: true } : { runAs: 'root' }
    await expect(run('touch made.txt', restrictions)).rejects.toMatchObject({
      code: 'restriction_unenforceable',
      details: { executed: false },
    })
    expect(existsSync(made)).toBe(false)
    await expect(runExec(world, { command: 'true', restrictions: { noGravity: true } })).rejects.toMatchObject({
      code: 'validation',
    })
  })

  test('a program or directory that is not there is said, and nothing is left', async () => {
    const restrictions = { dryRun: true }
    const before = views()
    await expect(runExec(world, { command: ['no-such-program'], restrictions })).rejects.toMatchObject({
      code: 'command_not_found',
    })
    await expect.poll(views).toEqual(before)
  })

  test('what the machine can hold is found out', async () => {
    expect(await world.ask('capabilities', {})).toMatchObject({
      restrictions: { dryRun: { ok: true, tier: 'namespaces' }, readOnly: { ok: true } },
    })
  })
})

test.runIf(hasViews)(
  'effects that wait take no more of the disk than they may: then nothing more is begun that could wait',
  async () => {
    await using small = await startSessionWorld({}, { maxPendingBytes: 1_000_000 })
    const write = { command: 'head -c 900000 /dev/urandom > large', restrictions: { dryRun: true } }
    const [first, second] = [await runExec(small, write), await runExec(small, write)]
    const refused = { code: 'no_space', details: { mostBytes: 1_000_000, waiting: 2 } }
    await expect(runExec(small, write)).rejects.toMatchObject(refused)
    await expect(small.open({ kind: 'run', restrictions: { noDelete: true } })).rejects.toMatchObject(refused)
    expect(await small.ask('session.list', { ended: true })).toEqual({ items: [] })
    expect((await runExec(small, { command: 'echo looks', restrictions: { readOnly: true } })).stdout).toBe('looks\n')
    await small.ask('effect.discard', { effectId: first.end.effect?.effectId })
    expect((await runExec(small, { ...write, command: 'true' })).end.reason).toBe('exited')
    await small.ask('effect.apply', { effectId: second.end.effect?.effectId, hash: second.end.effect?.hash })
    expect(statSync(join(small.folder, 'large')).size).toBe(900_000)
  },
)
