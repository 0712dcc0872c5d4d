import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EffectDetails, SessionExecuteEnd } from '@cmdop/protocol'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hasViews } from '../testing/has-views.ts'
import { hostOf } from '../testing/host-of.ts'
import { runExec, startExec } from '../testing/run-exec.ts'
import { type CallOptions, type SessionWorld, startSessionWorld } from '../testing/session-world.ts'

const ai = { principalId: 'prn_ai', principalKind: 'ai', principalName: 'Robot' } as const
const ada = { principalId: 'prn_ada', principalKind: 'human', principalName: 'Ada' } as const

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
  rmSync(made, { force: true, recursive: true })
  writeFileSync(kept, 'kept')
})

const effectOf = async (effectId: string) => EffectDetails.parse(await world.ask('effect.get', { effectId }))
const apply = (effectId: string, hash: string, options = {}) => world.ask('effect.apply', { effectId, hash }, options)

async function execute(sessionId: string, command: string, options: CallOptions = {}) {
  const channel = world.call('session.execute', { sessionId, command }, options)
  channel.onControl = () => {}
  const parts: Uint8Array[] = []
  for await (const { data } of channel) parts.push(data)
  const end = SessionExecuteEnd.parse(await channel.finished)
  await channel.end()
  return { text: Buffer.concat(parts).toString(), end }
}

describe.runIf(hasViews)('a terminal under dryRun', () => {
  test.each(['bash', 'sh'])(
    'in %s is one: size, name, job control, interrupts, and commands that are given to it',
    async (shell) => {
      const { sessionId, restrictions, pid } = await world.open({ shell, restrictions: { dryRun: true } })
      expect(restrictions).toEqual({ dryRun: true })
      // It has its name a moment after it was started.
      await expect.poll(() => readFileSync(`/proc/${pid}/comm`, 'utf8')).toContain(shell === 'bash' ? 'bash' : 'sh')
      expect(await execute(sessionId, 'cd /; X=1; echo one; (exit 7)')).toMatchObject({
        text: 'one\r\n',
        end: { exitCode: 7, cwd: '/' },
      })
      expect((await execute(sessionId, 'echo $X; tty; stty size')).text).toMatch(/^1\r\n\/dev\/pts\/\d+\r\n24 80\r\n$/)
      const person = await world.attach(sessionId, { size: { columns: 100, rows: 30 } }, ada)
      await person.ask({ type: 'resize', size: { columns: 101, rows: 31 } })
      await person.hears('resized', ({ size }) => size.columns === 101)
      await person.type('stty size\n')
      await person.shows('31 101')
      // In parts, so that what is typed is not what is waited for. One process: a shell that forks at that moment does not stop.
      const program = `process.on("SIGCONT", () => console.log("con" + "tinued")); console.log("rea" + "dy"); setInterval(() => {}, 1000)`
      await person.type(`${process.execPath} -e '${program}'\n`)
      await person.shows('ready')
      await person.type('\x1a')
      await person.type('jobs; echo "stop""ped"\n')
      await person.shows('stopped')
      await person.type('fg\n')
      await person.shows('continued')
      await person.type('\x03')
      await person.type('echo "after-$?"\n')
      await person.shows('after-130')
      await person.ask({ type: 'lease-release' })
      const late = await execute(sessionId, 'sleep 1002', { ...ai, deadlineMs: 1000 })
      expect(late.end).toMatchObject({ reason: 'deadline', exitCode: 130 })
      expect((await execute(sessionId, 'echo usable', ai)).text).toBe('usable\r\n')
      expect(await world.ask('session.close', { sessionId })).toMatchObject({ state: 'ended', endReason: 'closed' })
    },
  )

  test('has a live effect, which waits for a decision after its end', async () => {
    const { sessionId } = await world.open({ restrictions: { dryRun: true } })
    await execute(sessionId, 'mkdir made.txt; touch made.txt/one; rm kept.txt')
    const live = await effectOf(sessionId)
    expect(live.info).toMatchObject({ state: 'open', kind: 'session', hash: null, title: 'sh' })
    expect(live.list?.counts).toEqual({ added: 2, deleted: 1 })
    expect((await execute(sessionId, 'ls made.txt')).text).toBe('one\r\n')
    await world.ask('session.close', { sessionId })
    const { info, list } = await effectOf(sessionId)
    expect(info).toMatchObject({ state: 'pending', hash: list?.hash, counts: { added: 2, deleted: 1 } })
    expect(list?.hash).toBe(live.list?.hash)
    expect(existsSync(kept)).toBe(true)
    await apply(sessionId, info.hash ?? '')
    expect([existsSync(kept), existsSync(join(made, 'one'))]).toEqual([false, true])
    await world.ask('effect.undo', { effectId: sessionId })
  })

  test.each(['close', 'decide'])(
    'that ends while it is decided on has one outcome, whichever is first: %s',
    async (first) => {
      const { sessionId } = await world.open({ restrictions: { dryRun: true } })
      await execute(sessionId, 'mkdir made.txt; rm kept.txt')
      const { list } = await effectOf(sessionId)
      const steps = [
        () => world.ask('session.close', { sessionId }),
        () => apply(sessionId, list?.hash ?? '').catch((error: unknown) => error),
      ]
      const answers = await Promise.all((first === 'close' ? steps : steps.toReversed()).map((step) => step()))
      const refused = answers.find((answer) => answer instanceof Error)
      if (refused !== undefined) {
        expect(refused).toMatchObject({ code: 'conflict' })
        expect((await effectOf(sessionId)).info.state).toBe('pending')
        await apply(sessionId, list?.hash ?? '')
      }
      expect((await effectOf(sessionId)).info.state).toBe('applied')
      expect([existsSync(kept), existsSync(made)]).toEqual([false, true])
      expect(await world.ask('effect.undo', { effectId: sessionId })).toMatchObject({ state: 'undone' })
      expect([existsSync(kept), existsSync(made)]).toEqual([true, false])
    },
  )

  test('ends when its effect is applied, exactly as it was shown', async () => {
    const { sessionId } = await world.open({ shell: 'bash', restrictions: { noDelete: true } })
    const watcher = await world.observe(sessionId, {}, ada)
    await execute(sessionId, 'rm kept.txt; sleep 1003 & echo x > made.txt')
    const { list } = await effectOf(sessionId)
    expect(list?.violations.map(({ path, rule }) => [path, rule])).toEqual([[kept, 'deleted']])
    await expect(apply(sessionId, 'ab'.repeat(32))).rejects.toMatchObject({ code: 'effect_conflict' })
    expect((await execute(sessionId, 'echo goes on')).text).toBe('goes on\r\n')
    await expect(apply(sessionId, list?.hash ?? '', ai)).rejects.toMatchObject({ code: 'permission' })
    expect(await apply(sessionId, list?.hash ?? '')).toMatchObject({ effectId: sessionId, state: 'applied' })
    expect([existsSync(kept), readFileSync(made, 'utf8')]).toEqual([false, 'x\n'])
    expect(await watcher.end()).toMatchObject({ endReason: 'closed' })
    expect(await world.ask('session.get', { sessionId })).toMatchObject({ state: 'ended', endReason: 'closed' })
    expect(await world.ask('effect.undo', { effectId: sessionId })).toMatchObject({ state: 'undone' })
    expect([existsSync(kept), existsSync(made)]).toEqual([true, false])
  })

  test('that changed nothing leaves nothing', async () => {
    const { sessionId } = await world.open({ restrictions: { dryRun: true } })
    await execute(sessionId, 'ls')
    await world.ask('session.close', { sessionId })
    await expect(effectOf(sessionId)).rejects.toMatchObject({ code: 'not_found' })
  })

  test('whose disk was changed is not applied, and waits', async () => {
    const { sessionId } = await world.open({ restrictions: { dryRun: true } })
    await execute(sessionId, 'echo more >> kept.txt')
    writeFileSync(kept, 'changed')
    const { list } = await effectOf(sessionId)
    await expect(apply(sessionId, list?.hash ?? '')).rejects.toMatchObject({ code: 'effect_conflict' })
    expect(await effectOf(sessionId)).toMatchObject({ info: { state: 'pending' } })
    expect(readFileSync(kept, 'utf8')).toBe('changed')
    expect(await world.ask('effect.discard', { effectId: sessionId })).toMatchObject({ state: 'discarded' })
  })
})

describe.runIf(hasViews)('a terminal under other restrictions', () => {
  test.each([
    [{ readOnly: true }, 'touch /etc/cmdop-x', 'Read-only'],
    [{ network: 'none' as const }, 'tail -n +3 /proc/net/dev | wc -l', '1\r\n'],
    [{ limits: { openFiles: 33 } }, 'ulimit -n', '33\r\n'],
  ])('%o holds', async (restrictions, command, expected) => {
    const { sessionId } = await world.open({ restrictions })
    expect((await execute(sessionId, command)).text).toContain(expected)
    await world.ask('session.close', { sessionId })
    await expect(effectOf(sessionId)).rejects.toMatchObject({ code: 'not_found' })
  })

  test.runIf(process.getuid?.() === 0)('as another user has that one’s rights, and takes commands', async () => {
    const { sessionId } = await world.open({ cwd: '/', restrictions: { runAs: 'nobody', noSudo: true } })
    expect((await execute(sessionId, 'id -un; touch /etc/cmdop-x')).text).toMatch(/^nobody\r\n.*denied/)
    await world.ask('session.close', { sessionId })
  })
})

describe.runIf(hasViews)('a run under dryRun', () => {
  test('shows its later steps its earlier ones, and goes on with a fresh view once it is applied', async () => {
    const { sessionId } = await world.open({ kind: 'run', restrictions: { dryRun: true } }, ai)
    const run = (command: string) => runExec(world, { command, showIn: sessionId }, ai)
    const first = await run('echo one > made.txt; rm kept.txt')
    expect(first.end.effect).toBeUndefined()
    expect((await run('cat made.txt; ls kept.txt')).stdout).toBe('one\n')
    expect([existsSync(kept), existsSync(made)]).toEqual([true, false])
    const { list } = await effectOf(sessionId)
    expect(list?.counts).toEqual({ added: 1, deleted: 1 })
    const applied = (await apply(sessionId, list?.hash ?? '')) as { effectId: string }
    expect(applied).toMatchObject({ effectId: expect.stringContaining(sessionId), state: 'applied' })
    expect(readFileSync(made, 'utf8')).toBe('one\n')
    writeFileSync(made, 'two\n')
    expect((await run('cat made.txt; echo three >> made.txt; cat made.txt')).stdout).toBe('two\ntwo\nthree\n')
    expect(readFileSync(made, 'utf8')).toBe('two\n')
    expect((await effectOf(sessionId)).list?.counts).toEqual({ modified: 1 })
    await world.ask('session.close', { sessionId })
    expect(await effectOf(sessionId)).toMatchObject({ info: { state: 'pending', counts: { modified: 1 } } })
    writeFileSync(made, 'one\n')
    await expect(world.ask('effect.undo', { effectId: applied.effectId })).rejects.toMatchObject({
      code: 'effect_conflict',
    })
    await world.ask('effect.discard', { effectId: sessionId })
  })

  test('is ended in the middle of a command when its effect is discarded, and starts anew', async () => {
    const { sessionId } = await world.open({ kind: 'run', restrictions: { dryRun: true } }, ai)
    const running = await startExec(world, { command: 'touch made.txt; echo ready; sleep 1000', showIn: sessionId }, ai)
    await running.shows('ready')
    await world.ask('effect.discard', { effectId: sessionId })
    expect((await running.result).end).toMatchObject({ reason: 'exited', signal: 'SIGKILL' })
    const { stdout } = await runExec(world, { command: 'ls made.txt || echo none', showIn: sessionId }, ai)
    expect(stdout).toBe('none\n')
    await world.ask('session.close', { sessionId })
  })

  test('whose host is killed keeps what it had changed for a decision, and starts anew', async () => {
    const { sessionId } = await world.open({ kind: 'run', restrictions: { dryRun: true } }, ai)
    const command = 'echo one > made.txt; echo ready; sleep 1000.25'
    const running = await startExec(world, { command, showIn: sessionId }, ai)
    await running.shows('ready')
    process.kill(await hostOf('1000.25'), 'SIGKILL')
    expect((await running.result).end).toMatchObject({ signal: 'SIGKILL' })
    const listed = async () => ((await world.ask('effect.list', { limit: 1 })) as { items: unknown[] }).items
    await expect.poll(listed).toMatchObject([{ kind: 'session', state: 'pending', counts: { added: 1 } }])
    expect(existsSync(made)).toBe(false)
    expect((await runExec(world, { command: 'ls', showIn: sessionId }, ai)).stdout).not.toContain('made.txt')
    await world.ask('session.close', { sessionId })
  })

  test('cancels a command without ending what runs beside it', async () => {
    const { sessionId } = await world.open({ kind: 'run', restrictions: { dryRun: true } }, ai)
    const start = (command: string) => startExec(world, { command, showIn: sessionId }, ai)
    const [one, other] = [
      await start('echo ready; setsid sleep 1000'),
      await start('echo ready; read x; echo "got $x"'),
    ]
    await one.shows('ready')
    await one.cancel()
    expect((await one.result).end).toMatchObject({ reason: 'cancelled' })
    expect((await other.result).stdout).toBe('ready\ngot \n')
    await world.ask('session.close', { sessionId })
  })

  test('is taken over by a shell in the same view', async () => {
    const { sessionId } = await world.open({ kind: 'run', restrictions: { dryRun: true } }, ai)
    await runExec(world, { command: 'mkdir made.txt; touch made.txt/here', showIn: sessionId }, ai)
    await runExec(world, { command: 'true', cwd: made, showIn: sessionId }, ai).catch(() => {})
    const person = await world.attach(sessionId, {}, ada)
    await person.type('ls; touch mine; echo "in $PWD"\n')
    await person.shows(`in ${made}`)
    expect(person.text).toContain('here')
    const { stdout } = await runExec(world, { command: `ls '${made}'`, showIn: sessionId }, ai)
    expect(stdout).toBe('here\nmine\n')
    expect(existsSync(made)).toBe(false)
    await world.ask('session.close', { sessionId })
    await world.ask('effect.discard', { effectId: sessionId })
  })
})

describe.runIf(hasViews)('a run under noDelete', () => {
  test('applies each command by itself, and refuses the one that deletes', async () => {
    const { sessionId } = await world.open({ kind: 'run', restrictions: { noDelete: true } }, ai)
    const run = (command: string) => runExec(world, { command, showIn: sessionId }, ai)
    expect((await run('echo one > made.txt')).end.effect).toMatchObject({ state: 'applied' })
    expect(readFileSync(made, 'utf8')).toBe('one\n')
    expect((await run('rm kept.txt')).end.effect).toMatchObject({
      state: 'pending',
      refusal: { code: 'restriction_violated', paths: [kept] },
    })
    expect(existsSync(kept)).toBe(true)
    expect((await run('echo two >> made.txt; cat made.txt')).stdout).toBe('one\ntwo\n')
    await world.ask('session.close', { sessionId })
    await expect(effectOf(sessionId)).rejects.toMatchObject({ code: 'not_found' })
  })

  test('keeps what a person did in a shell of it for a decision', async () => {
    const { sessionId } = await world.open({ kind: 'run', restrictions: { noDelete: true } }, ai)
    const person = await world.attach(sessionId, {}, ada)
    await person.type('rm kept.txt; echo "re""moved"\n')
    await person.shows('removed\r\n')
    expect((await effectOf(sessionId)).list?.counts).toEqual({ deleted: 1 })
    await person.type('exit\n')
    await person.until('the shell is gone', () => person.text.endsWith('\x1b[m\r\n'))
    expect(existsSync(kept)).toBe(true)
    await world.ask('session.close', { sessionId })
    const { items } = (await world.ask('effect.list', { limit: 1 })) as { items: unknown[] }
    expect(items).toMatchObject([{ kind: 'session', state: 'pending', counts: { deleted: 1 } }])
  })
})

describe.runIf(hasViews)('the folder of a run', () => {
  test.each([{ dryRun: true }, { noDelete: true }, { readOnly: true }])(
    'under %o is the same for all its commands, of no effect, seen by no other session, and gone with it',
    async (restrictions) => {
      const { sessionId, folder } = await world.open({ kind: 'run', restrictions }, ai)
      const other = await world.open({ kind: 'run', restrictions }, ai)
      const run = (command: string, showIn = sessionId) => runExec(world, { command, showIn }, ai)
      const path = folder ?? expect.fail('It has none.')
      expect((await run(`echo mine > '${path}/file'`)).end).toMatchObject({ exitCode: 0 })
      expect((await run(`cat '${path}/file'; ls -A '${path}' '${path}/..' '${world.dataDir}'`)).stdout).toMatch(
        /^mine\n/,
      )
      const seen = await run(
        `ls -A '${other.folder}' /dev/shm; find '${world.folder}' /dev/shm -name '${sessionId}*'`,
        other.sessionId,
      )
      expect(seen.stdout).not.toMatch(/file|call_/)
      for (const id of [sessionId, other.sessionId]) {
        await world.ask('session.close', { sessionId: id })
        await expect(effectOf(id)).rejects.toMatchObject({ code: 'not_found' })
      }
      expect(readdirSync(join(world.dataDir, 'sessions', 'own'))).toEqual([])
    },
  )
})

describe.runIf(hasViews)('restrictions', () => {
  test('of a session are fixed: a command in it gives none', async () => {
    const { sessionId } = await world.open({ kind: 'run', restrictions: { dryRun: true } }, ai)
    const params = { command: 'touch made.txt', showIn: sessionId, restrictions: { readOnly: true } }
    await expect(runExec(world, params, ai)).rejects.toMatchObject({ code: 'validation' })
    await world.ask('session.close', { sessionId })
    await expect(runExec(world, { command: 'true', showIn: sessionId }, ai)).rejects.toMatchObject({
      code: 'session_ended',
    })
  })

  test('of a permit are held with those that are asked for, and a session must have them already', async () => {
    const permit = { restrictions: { noDelete: true, writable_paths: [world.folder] } }
    const { end } = await runExec(world, { command: 'rm kept.txt' }, permit)
    expect(end.effect).toMatchObject({ state: 'pending', refusal: { code: 'restriction_violated' } })
    const held = await world.open({ kind: 'run', restrictions: { dryRun: true } }, permit)
    expect(held.restrictions).toEqual({ dryRun: true, noDelete: true, writablePaths: [world.folder] })
    const inHeld = await runExec(world, { command: 'rm kept.txt; ls kept.txt', showIn: held.sessionId }, permit)
    expect(inHeld.end).toMatchObject({ exitCode: 2 })
    const { sessionId } = await world.open({ kind: 'run', restrictions: { dryRun: true } })
    await expect(runExec(world, { command: 'touch made.txt', showIn: sessionId }, permit)).rejects.toMatchObject({
      code: 'permit',
    })
    expect([existsSync(kept), existsSync(made)]).toEqual([true, false])
  })

  test('of a session that cannot be held are refused, and there is no session', async () => {
    const restrictions = { runAs: 'root', noSudo: true }
    const { items: before } = (await world.ask('session.list', { ended: true })) as { items: unknown[] }
    for (const kind of ['run', 'terminal'] as const)
      await expect(world.open({ kind, restrictions })).rejects.toMatchObject({ code: 'restriction_unenforceable' })
    expect(await world.ask('session.list', { ended: true })).toEqual({ items: before })
  })
})
