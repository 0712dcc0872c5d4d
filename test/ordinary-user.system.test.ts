import { spawnSync } from 'node:child_process'
import { chownSync } from 'node:fs'
import { chown, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { enrollMachine } from '@cmdop/machine'
import type { RemoteMachine } from '@cmdop/core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Child, startChild } from './processes/child.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

/** The user nobody, of every system. */
const user = { uid: 65_534, gid: 65_534 }

/** Whether a daemon can run as that user: this is root, and these files are open to others. */
const canBeNobody =
  process.getuid?.() === 0 &&
  spawnSync(process.execPath, ['--check', fileURLToPath(import.meta.url)], { ...user, cwd: '/' }).status === 0

describe.runIf(canBeNobody)('the daemon of an ordinary user', () => {
  let world: World
  let daemon: Child<{ machineId: string }>
  let machine: RemoteMachine
  /** Of the user, and in it a folder that is root’s. */
  let home = ''
  beforeAll(async () => {
    world = await startWorld({ machines: 1 })
    // As root once: the program of the host is made with the first sandbox.
    await world.handle.exec('true', { restrictions: { dryRun: true } })
    home = await own(await world.folder())
    const dataDir = join(home, 'state')
    const { rawToken: token } = await world.client.enrollmentTokens.issue()
    await enrollMachine({ relayUrl: world.relay.url, token, dataDir, name: 'of-nobody' })
    for (const name of ['.', ...(await readdir(dataDir, { recursive: true }))])
      chownSync(join(dataDir, name), user.uid, user.gid)
    daemon = await startChild('./machine-process.ts', { dataDir, logLevel: 'silent' }, { HOME: home }, user)
    const { machineId } = daemon.ready
    await waitFor('it is online', async () => (await world.client.machines.get(machineId)).presence === 'online')
    machine = await world.client.machine(machineId)
  })
  afterAll(async () => {
    await daemon.end('SIGTERM')
    await world[Symbol.asyncDispose]()
  })

  let folder = ''
  beforeEach(async () => {
    folder = await own(join(home, `work-${performance.now()}`))
    await own(join(folder, 'kept'), 'kept\n')
  })
  const content = (name: string) => readFile(join(folder, name), 'utf8')

  test('runs what is restricted as that user, in namespaces', async () => {
    const { stdout } = await machine.exec('id -u; grep -c . /proc/net/dev', { restrictions: { dryRun: true } })
    expect(stdout).toBe('65534\n3\n')
    const { restrictions } = await machine.capabilities()
    for (const name of ['dryRun', 'noDelete', 'readOnly'])
      expect(restrictions[name]).toMatchObject({ ok: true, tier: 'namespaces' })
  })

  test('under dryRun changes nothing, until its effect is applied, which can be taken back', async () => {
    const options = { cwd: folder, restrictions: { dryRun: true } }
    const { stdout, effect } = await machine.exec('rm kept; echo new > new; chmod 640 new; ls', options)
    expect(stdout).toBe('new\n')
    expect(effect).toMatchObject({ state: 'pending', counts: { added: 1, deleted: 1 } })
    expect(await readdir(folder)).toEqual(['kept'])
    await machine.effects.apply(effect?.effectId ?? '', effect?.hash ?? '')
    expect(await readdir(folder)).toEqual(['new'])
    expect(await stat(join(folder, 'new'))).toMatchObject({ ...user, mode: 0o100640 })
    await machine.effects.undo(effect?.effectId ?? '')
    expect([await readdir(folder), await content('kept')]).toEqual([['kept'], 'kept\n'])
  })

  test('under noDelete has what it adds applied, and nothing of what deletes', async () => {
    const options = { cwd: folder, restrictions: { noDelete: true } }
    const added = await machine.exec('echo more >> kept; echo new > new', options)
    expect(added.effect).toMatchObject({ state: 'applied', counts: { added: 1, modified: 1 } })
    expect(await content('kept')).toBe('kept\nmore\n')
    const refused = machine.exec('echo said; touch other; rm kept', options)
    await expect(refused).rejects.toMatchObject({
      code: 'restriction_violated',
      details: { paths: [join(folder, 'kept')] },
    })
    expect((await readdir(folder)).toSorted()).toEqual(['kept', 'new'])
  })

  test('under readOnly writes nothing; what it does to its own files in /tmp is scratch, and vanishes', async () => {
    const command = 'rm kept; echo x > new; echo x > /etc/cmdop-x; ls'
    const { stdout, stderr } = await machine.exec(command, { cwd: folder, restrictions: { readOnly: true } })
    expect(stderr).toContain('/etc/cmdop-x: Read-only file system')
    expect(stdout).toContain('new\n')
    expect([await readdir(folder), await content('kept')]).toEqual([['kept'], 'kept\n'])
  })

  test('keeps what is not the user’s out of reach, in a view as outside of it', async () => {
    await mkdir(join(folder, 'roots'))
    await writeFile(join(folder, 'roots', 'file'), 'of root')
    const { stderr, effect } = await machine.exec('rm roots/file; echo x > /usr/x; echo x >> roots/file', {
      cwd: folder,
      restrictions: { dryRun: true },
    })
    expect(stderr.trim().split('\n')).toHaveLength(3)
    expect(effect).toBeUndefined()
  })

  test('has a terminal session under dryRun, whose effect is applied with its hash', async () => {
    const session = await machine.sessions.open({ shell: 'sh', cwd: folder, restrictions: { dryRun: true } })
    expect((await session.execute('rm kept; echo new > new; tty; id -u')).output).toMatch(/\/dev\/pts\/\d+\r?\n65534/)
    expect(await readdir(folder)).toEqual(['kept'])
    const { list } = await session.effects()
    await session.apply(list?.hash ?? '')
    expect(await readdir(folder)).toEqual(['new'])
  })
})

/** Makes a file or a folder of that user. */
async function own(path: string, text?: string): Promise<string> {
  if (text === undefined) await mkdir(path, { recursive: true })
  else await writeFile(path, text)
  await chown(path, user.uid, user.gid)
  return path
}
