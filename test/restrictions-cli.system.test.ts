import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { EffectSummary } from '@cmdop/core'
import { isCmdopError } from '@cmdop/protocol'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runCli, startCli } from './processes/cli.ts'
import { watch } from './watch.ts'
import { startWorld, type World } from './world.ts'

const main = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url))

let world: World
let machine = ''
/** Whether this machine can make a view. Where it cannot, the same tests hold that the command line says so. */
let hasViews = false
/** A folder with a file `kept`. */
let folder = ''

beforeAll(async () => {
  world = await startWorld()
  machine = world.machine.name
  hasViews = await world.handle.exec('true', { restrictions: { dryRun: true } }).then(
    () => true,
    (error: unknown) => {
      if (isCmdopError(error) && error.code === 'restriction_unenforceable') return false
      throw error
    },
  )
})
afterAll(() => world[Symbol.asyncDispose]())

beforeEach(async () => {
  folder = await world.folder()
  await writeFile(join(folder, 'kept'), 'kept\n')
})

const cmdop = (...argv: string[]) =>
  runCli(argv, { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey })

/** `cmdop exec` in the folder. */
const exec = (options: readonly string[], command: string) =>
  cmdop('exec', machine, '--cwd', folder, ...options, '--', 'sh', '-c', command)

/** The effect of a command in the folder. */
async function dryRun(command: string): Promise<EffectSummary> {
  const { effect } = await world.handle.exec(command, { cwd: folder, restrictions: { dryRun: true } })
  return effect ?? expect.fail('It has no effect.')
}

async function whereHeld(body: () => Promise<void>): Promise<void> {
  if (hasViews) return body()
  const { code, stderr } = await exec(['--dry-run'], 'rm kept')
  expect({ code, stderr }).toEqual({ code: 125, stderr: expect.stringContaining('restriction_unenforceable') })
  expect(await readdir(folder)).toEqual(['kept'])
}

/** The words of the command that was advised. */
function advised(stderr: string, verb: string): string[] {
  const [, words = ''] = new RegExp(`cmdop (effects ${verb} .*)`).exec(stderr) ?? []
  return words.split(' ')
}

describe('cmdop exec', () => {
  test('--dry-run passes output and exit code on, shows the changes and the command that applies them', () =>
    whereHeld(async () => {
      const dry = await exec(['--dry-run'], 'rm kept; echo line > new; ls; exit 3')
      expect(dry).toMatchObject({ code: 3, stdout: 'new\n' })
      expect(dry.stderr).toMatch(/- kept {2}5 B\n[^]*\+ new {2}5 B\n/)
      expect(await readdir(folder)).toEqual(['kept'])
      const applied = await cmdop(...advised(dry.stderr, 'apply'))
      expect(applied).toMatchObject({ code: 0, stderr: expect.stringMatching(/^applied: .*1 deleted/) })
      expect(await readdir(folder)).toEqual(['new'])
      const undone = await cmdop(...advised(applied.stderr, 'undo'))
      expect(undone).toMatchObject({ code: 0, stderr: expect.stringContaining('undone') })
      expect(await readdir(folder)).toEqual(['kept'])
    }))

  test('--dry-run --json is one document with the changes in it', () =>
    whereHeld(async () => {
      const { code, stdout, stderr } = await exec(['--dry-run', '--json'], 'rm kept')
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const { effect, effects } = JSON.parse(stdout)
      expect(effect).toMatchObject({ state: 'pending', hash: effects.hash })
      expect(effects.effects).toContainEqual(expect.objectContaining({ kind: 'deleted', path: join(folder, 'kept') }))
    }))

  test('--no-delete applies what deletes nothing, without a word', () =>
    whereHeld(async () => {
      expect(await exec(['--no-delete'], 'echo new > new')).toEqual({ code: 0, stdout: '', stderr: '' })
      expect((await readdir(folder)).toSorted()).toEqual(['kept', 'new'])
    }))

  test('--no-delete applies nothing of what deletes something, shows it, and exits with 125', () =>
    whereHeld(async () => {
      const refused = await exec(['--no-delete'], 'echo said; rm kept')
      expect(refused).toMatchObject({ code: 125, stdout: 'said\n' })
      expect(refused.stderr).toContain('restriction_violated')
      expect(refused.stderr).toMatch(/- kept .*\[deleted\]/)
      const json = await exec(['--no-delete', '--json'], 'echo said; rm kept')
      expect(json.code).toBe(125)
      expect(JSON.parse(json.stdout)).toMatchObject({
        error: { code: 'restriction_violated', details: { paths: [join(folder, 'kept')] } },
        stdout: 'said\n',
        exitCode: 0,
      })
      expect(await readdir(folder)).toEqual(['kept'])
    }))

  test('--read-only is held', () =>
    whereHeld(async () => {
      await exec(['--read-only'], 'rm kept; echo new > new')
      expect(await readdir(folder)).toEqual(['kept'])
    }))

  test('--no-network is held', () =>
    whereHeld(async () => {
      const reach = `fetch('${world.relay.url}').then(() => console.log('reached'), (error) => console.log(error.cause.code))`
      const argv = [process.execPath, '-e', reach]
      expect((await world.handle.exec(argv)).stdout).toBe('reached\n')
      expect((await cmdop('exec', machine, '--no-network', '--', ...argv)).stdout).toMatch(/^E[A-Z]+\n$/)
    }))

  test('--dry-run on a machine that ends with the command says that its effect cannot be applied', () =>
    whereHeld(async () => {
      const { code, stderr } = await runCli(['exec', 'local', '--cwd', folder, '--dry-run', '--', 'rm', 'kept'])
      expect(code).toBe(0)
      expect(stderr).toContain('the machine ends with this command')
      expect(await readdir(folder)).toEqual(['kept'])
    }))

  test('refuses a restriction that is none, with nothing run', async () => {
    const { code, stderr } = await exec(['--write', 'here'], 'rm kept')
    expect({ code, stderr }).toEqual({ code: 255, stderr: expect.stringContaining('writablePaths') })
    expect(await readdir(folder)).toEqual(['kept'])
  })
})

describe('cmdop ssh', () => {
  test('--dry-run gives a shell whose changes are shown at its end', () =>
    whereHeld(async () => {
      const env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
      const typed = `cd ${folder}; rm kept; echo do""ne; exit 4\n`
      const { code, stdout, stderr } = await startCli(['ssh', machine, '--shell', 'sh', '--dry-run'], env, typed).done
      expect([code, stdout]).toEqual([4, expect.stringContaining('done')])
      expect(stderr).toContain('- kept')
      expect(await readdir(folder)).toEqual(['kept'])
      expect(await cmdop(...advised(stderr, 'apply'))).toMatchObject({ code: 0 })
      expect(await readdir(folder)).toEqual([])
    }))

  test('--observe takes no restrictions', async () => {
    const { code, stderr } = await cmdop('ssh', machine, '--observe', '--dry-run')
    expect({ code, stderr }).toEqual({ code: 255, stderr: expect.stringContaining('--observe') })
  })
})

describe('cmdop effects', () => {
  test('list names what waits', () =>
    whereHeld(async () => {
      const effect = await dryRun('echo more >> kept')
      const list = await cmdop('effects', 'list', machine)
      expect(list.stdout).toMatch(new RegExp(`pending +exec .* ${effect.effectId}\n`))
      const { items } = JSON.parse((await cmdop('effects', 'list', machine, '--json')).stdout)
      expect(items).toContainEqual(expect.objectContaining({ effectId: effect.effectId, state: 'pending' }))
    }))

  test('show prints the tree with its diffs', () =>
    whereHeld(async () => {
      const effect = await dryRun('echo more >> kept')
      const shown = await cmdop('effects', 'show', machine, effect.effectId)
      expect(shown).toMatchObject({ code: 0, stderr: '' })
      expect(shown.stdout).toMatch(/~ kept {2}5 -> 10 B\n[^]*\+more\n[^]*Hash [0-9a-f]{64}\nState pending/)
      const details = JSON.parse((await cmdop('effects', 'show', machine, effect.effectId, '--json')).stdout)
      expect(details).toMatchObject({ info: { state: 'pending' }, list: { hash: effect.hash } })
    }))

  test('discard leaves nothing that could be applied', () =>
    whereHeld(async () => {
      const effect = await dryRun('rm kept')
      const discarded = await cmdop('effects', 'discard', machine, effect.effectId)
      expect(discarded).toMatchObject({ code: 0, stderr: expect.stringContaining('discarded') })
      const late = await cmdop('effects', 'apply', machine, effect.effectId, '--hash', effect.hash)
      expect(late.code).not.toBe(0)
      expect(await readdir(folder)).toEqual(['kept'])
    }))

  test('apply takes nothing but what was shown: without its hash 2, with another one 8', () =>
    whereHeld(async () => {
      const effect = await dryRun('rm kept')
      const apply = (...more: string[]) => cmdop('effects', 'apply', machine, effect.effectId, ...more)
      expect(await apply()).toMatchObject({ code: 2, stderr: expect.stringContaining('--hash') })
      expect(await apply('--hash', 'ab'.repeat(32))).toMatchObject({
        code: 8,
        stderr: expect.stringContaining('effect_conflict'),
      })
      expect(await readdir(folder)).toEqual(['kept'])
      const applied = await apply('--hash', effect.hash, '--json')
      expect(JSON.parse(applied.stdout)).toMatchObject({ effectId: effect.effectId, state: 'applied' })
      expect(await readdir(folder)).toEqual([])
    }))

  test('apply at a terminal shows the effect and asks', () =>
    whereHeld(async () => {
      const effect = await dryRun('rm kept')
      const session = await world.handle.sessions.open({
        shell: 'sh',
        env: { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey, XDG_CONFIG_HOME: '/nonexistent' },
        size: { columns: 200, rows: 50 },
      })
      await using attachment = await session.attach()
      const seen = watch(attachment)
      const command = `${process.execPath} --conditions=@cmdop/source ${main} effects apply ${machine} ${effect.effectId}; echo "code=$?"\n`
      await attachment.write(command)
      await seen.until('- kept')
      await seen.until('[y/N]')
      await attachment.write('n\n')
      await seen.until('code=130')
      expect(await readdir(folder)).toEqual(['kept'])
      await attachment.write(command)
      await seen.until('[y/N]')
      await attachment.write('yes\n')
      await seen.until('code=0')
      expect(await readdir(folder)).toEqual([])
    }))

  test('of nobody are not found', async () => {
    expect(await cmdop('effects', 'show', machine, 'call_unknown')).toMatchObject({ code: 4 })
  })
})

describe('cmdop machine doctor', () => {
  test('tells of a machine what its daemon found out', async () => {
    const { code, stdout } = await cmdop('machine', 'doctor', machine)
    expect([code, stdout]).toEqual([0, expect.stringMatching(new RegExp(`^${machine}: \\S+ [^]*  dryRun +\\S`))])
    const json = await cmdop('machine', 'doctor', machine, '--json')
    expect(JSON.parse(json.stdout)).toEqual({ machine, ...(await world.handle.capabilities()) })
  })

  test('tells of this machine without a daemon, and keeps it', async () => {
    const data = await world.folder()
    const first = await runCli(['machine', 'doctor', '--data', data, '--json'])
    const { restrictions } = JSON.parse(first.stdout)
    expect(restrictions.dryRun.ok).toBe(hasViews)
    expect(await runCli(['machine', 'doctor', '--data', data, '--json'])).toEqual(first)
  })
})
