import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, readlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { applyEffect } from './apply/apply-effect.ts'
import { computeEffects } from './effects/compute-effects.ts'
import { openSandbox } from './sandbox.ts'
import { createPlace } from './testing/place.ts'
import { runIn } from './testing/run-in.ts'
import type { View } from './view.ts'

const isRoot = process.getuid?.() === 0
const place = await createPlace()
const { base, folder, within } = place
afterAll(() => place[Symbol.asyncDispose]())

describe('dryRun', () => {
  test('shows a command its own changes, and the disk none', () =>
    within({ dryRun: true }, async (sandbox, home) => {
      const first = await runIn(sandbox, 'rm kept.txt; echo new > new.txt; ls', { cwd: home })
      expect(first).toMatchObject({ exitCode: 0, stdout: 'new.txt\nother.txt\n', stderr: '' })
      expect((await runIn(sandbox, 'cat new.txt; cat kept.txt', { cwd: home })).stdout).toBe('new\n')
      expect((await readdir(home)).toSorted()).toEqual(['kept.txt', 'other.txt'])
      await sandbox.freeze()
      const { effects } = await computeEffects(sandbox.view ?? expect.fail('There is no view.'))
      const own = effects
        .filter(({ path }) => path.startsWith(home))
        .map(({ kind, path }) => `${kind} ${path.slice(home.length)}`)
      expect(new Set(own)).toEqual(new Set(['added /new.txt', 'deleted /kept.txt']))
    }))

  test('lists all that rm -rf of a large tree would delete, and touches none of it', () =>
    within({ dryRun: true }, async (sandbox, home) => {
      for (let folder = 0; folder < 50; folder += 1) {
        mkdirSync(join(home, 'tree', String(folder)), { recursive: true })
        for (let file = 0; file < 200; file += 1) writeFileSync(join(home, 'tree', String(folder), String(file)), '')
      }
      expect(await runIn(sandbox, 'rm -rf tree; ls', { cwd: home })).toMatchObject({ stdout: 'kept.txt\nother.txt\n' })
      await sandbox.freeze()
      const { effects, counts } = await computeEffects(sandbox.view ?? expect.fail('There is no view.'))
      expect(counts).toEqual({ deleted: 10_051 })
      expect(effects).toMatchObject([{ kind: 'deleted', path: join(home, 'tree'), collapsed: 10_050 }])
      expect(await readdir(join(home, 'tree'), { recursive: true })).toHaveLength(10_050)
    }))

  test('hides the state folder, and has no network but a loopback of its own', () =>
    within({ dryRun: true }, async (sandbox, home) => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as { port: number }
      const probe = `const s = require('net').connect(${port}, '127.0.0.1').on('error', (e) => console.log(e.code)).on('connect', () => console.log('reached'))`
      const { stdout } = await runIn(sandbox, `ls -A '${folder}'; '${process.execPath}' -e "${probe}"`, { cwd: home })
      expect(stdout).toBe('ECONNREFUSED\n')
      server.close()
    }))

  test('counts what ran in the background and what tried the network', () =>
    within({ dryRun: true }, async (sandbox) => {
      await runIn(sandbox, 'setsid -f sleep 1000 > /dev/null 2>&1; (sleep 1000 > /dev/null 2>&1 &)')
      const datagrams = [`'192.0.2.1'`, `'127.0.0.1'`].map(
        (to) => `await new Promise((done) => require('dgram').createSocket('udp4').send('x', 9, ${to}, done))`,
      )
      const connections = [`9, '192.0.2.1'`, `9, '127.0.0.1'`].map(
        (to) => `await new Promise((done) => require('net').connect(${to}).on('error', done))`,
      )
      const script = [...datagrams, ...connections].join('; ')
      await runIn(sandbox, `'${process.execPath}' -e "(async () => { ${script}; process.exit() })()"`)
      expect(await sandbox.freeze()).toEqual({ backgroundKilled: 2, networkAttempts: 4 })
      sandbox.thaw()
      expect((await runIn(sandbox, 'ps ax 2> /dev/null | grep -c "[s]leep 1000"')).stdout).toMatch(/^0?\n?$/)
    }))
})

describe('other restrictions', () => {
  test('readOnly lets nothing be written but temporary files that vanish', () =>
    within({ readOnly: true }, async (sandbox) => {
      const { stdout } = await runIn(
        sandbox,
        'touch /etc/cmdop-x 2>&1; touch /var/tmp/cmdop-scratch && ls /var/tmp/cmdop-scratch',
      )
      expect(stdout).toContain('Read-only file system')
      expect(stdout).toContain('/var/tmp/cmdop-scratch\n')
      expect(existsSync('/var/tmp/cmdop-scratch')).toBe(false)
      expect(sandbox.view).toBeUndefined()
    }))

  test('below writablePaths the disk is written to, elsewhere it is not', async () => {
    const place = await mkdtemp(join(base, 'writable-'))
    await within({ writablePaths: [place] }, async (sandbox, home) => {
      await runIn(sandbox, `echo real > '${place}/new.txt'; rm -f kept.txt; echo x > '${home}/other.txt'`, {
        cwd: home,
      })
      expect(await readFile(join(place, 'new.txt'), 'utf8')).toBe('real\n')
      expect(await readFile(join(home, 'kept.txt'), 'utf8')).toBe('kept')
      expect(await readFile(join(home, 'other.txt'), 'utf8')).toBe('other')
      expect(sandbox.holes.join()).toContain(place)
    })
  })

  test('writablePaths in a dry run leave one place to change, and that only in the view', async () => {
    const place = await mkdtemp(join(base, 'writable-'))
    await within({ dryRun: true, writablePaths: [place] }, async (sandbox) => {
      const { stdout } = await runIn(sandbox, `echo x > '${place}/new.txt' && ls '${place}'; touch /etc/cmdop-x 2>&1`)
      expect(stdout).toMatch(/^new\.txt\n.*Read-only file system/)
      expect(await readdir(place)).toEqual([])
      expect(sandbox.view?.layers.map(({ root }) => root)).toEqual([place])
      await sandbox.freeze()
      const { effects } = await computeEffects(sandbox.view ?? expect.fail('There is no view.'))
      expect(effects).toMatchObject([{ kind: 'added', path: join(place, 'new.txt') }])
    })
  })

  test('the intersection of readOnly and writablePaths has nothing to write', async () => {
    const place = await mkdtemp(join(base, 'writable-'))
    await within({ readOnly: true, writablePaths: [place] }, async (sandbox) => {
      await runIn(sandbox, `echo x > '${place}/new.txt'`)
      expect(await readdir(place)).toEqual([])
    })
  })

  test('network none alone leaves the files as they are', () =>
    within({ network: 'none' }, async (sandbox, home) => {
      const { stdout } = await runIn(sandbox, `rm kept.txt; cat /proc/net/dev | tail -n +3 | cut -d: -f1`, {
        cwd: home,
      })
      expect(stdout.trim()).toBe('lo')
      expect(await readdir(home)).toEqual(['other.txt'])
    }))

  test('with the network of the machine the view stays as it is, and what the kernel shows read-only', () =>
    within({ dryRun: true, network: 'host' }, async (sandbox, home) => {
      const script =
        'readlink /proc/self/ns/net; rm kept.txt; touch /sys/x /sys/fs/cgroup/x; mkdir /sys/fs/cgroup/y; ls'
      const { stdout, stderr } = await runIn(sandbox, script, { cwd: home })
      expect(stdout).toBe(`${await readlink('/proc/self/ns/net')}\nother.txt\n`)
      expect(stderr.trim().split('\n')).toHaveLength(3)
      expect((await readdir(home)).toSorted()).toEqual(['kept.txt', 'other.txt'])
    }))

  test('a freeze of a sandbox whose host is gone says so', () =>
    within({ dryRun: true }, async (sandbox) => {
      const pid = sandbox.view?.hostPid ?? expect.fail('There is no view.')
      const threads = await readFile(`/proc/${pid}/status`, 'utf8')
      process.kill(Number(/^Tgid:\s*(\d+)/m.exec(threads)?.[1]), 'SIGKILL')
      await sandbox.gone
      await expect(sandbox.freeze()).rejects.toMatchObject({ code: 'server', message: expect.stringContaining('gone') })
    }))

  test('a view that is frozen ends what is just being started, and starts nothing until it is thawed', () =>
    within({ dryRun: true }, async (sandbox) => {
      const start = (script: string) =>
        sandbox.spawn({ file: 'sh', args: ['-c', script], cwd: '/', env: { PATH: '/usr/bin:/bin' }, stdin: false })
      const early = [start('sleep 1000'), start('sleep 1001')]
      await sandbox.freeze()
      for (const process of early) expect((await (await process).exit).signal).toBe('SIGKILL')
      await expect(start('exit 0')).rejects.toMatchObject({ code: 'conflict' })
      await sandbox.freeze()
      sandbox.thaw()
      expect((await (await start('exit 7')).exit).exitCode).toBe(7)
    }))

  test('no command opens the debugger of the host', () =>
    within({ readOnly: true }, async (sandbox) => {
      const script = [
        "const signalled = [1, process.ppid].map((pid) => { try { return process.kill(pid, 'SIGUSR1') } catch { return false } })",
        "const socket = require('node:net').connect(9229, '127.0.0.1')",
        "socket.on('connect', () => { console.log('open'); process.exit(1) })",
        'let left = 20',
        "socket.on('error', ({ code }) => { if (left-- === 0) { console.log(signalled.join(), code); process.exit(0) } setTimeout(() => socket.connect(9229, '127.0.0.1'), 50) })",
      ].join('\n')
      const program = { file: process.execPath, args: ['-e', script], cwd: '/', env: {}, stdin: false }
      const { stdout, exit } = await sandbox.spawn(program)
      const said = Buffer.concat(await Array.fromAsync(stdout)).toString()
      expect({ said, ...(await exit) }).toEqual({ said: 'true,true ECONNREFUSED\n', exitCode: 0, signal: null })
    }))

  test('a view that is frozen twice at once answers both', () =>
    within({ dryRun: true }, async (sandbox) => {
      await runIn(sandbox, 'setsid -f sleep 1000 > /dev/null 2>&1')
      const killed = await Promise.all([sandbox.freeze(), sandbox.freeze()])
      expect(killed.map(({ backgroundKilled }) => backgroundKilled)).toEqual([1, 1])
    }))
})

describe('a shared directory', () => {
  /** In a directory that is hidden, beside a file that nobody may see. */
  const shared = async () => {
    const hidden = await mkdtemp(join(base, 'hidden-'))
    await mkdir(join(hidden, 'mine'), { mode: 0o700 })
    await mkdir(join(hidden, 'other'))
    return { hidden, mine: join(hidden, 'mine') }
  }

  test.each([{ dryRun: true }, { noDelete: true }, { readOnly: true }, { writablePaths: [base] }])(
    'under %o is written to, is the same in the next view, is no change, and nothing beside it is seen',
    async (restrictions) => {
      const { hidden, mine } = await shared()
      const options = { hidden: [hidden], shared: mine }
      await within(
        restrictions,
        async (sandbox) => {
          const at = sandbox.shared ?? expect.fail('It has none.')
          const script = `umask 077; echo one > ${at}/file; ls -A '${hidden}' ${at}/..; cat ${at}/../other`
          expect((await runIn(sandbox, script)).stdout).not.toMatch(/mine|other/)
          expect((await runIn(sandbox, `cp /bin/true ${at}/program; ${at}/program`)).exitCode).toBe(126)
          await sandbox.freeze()
          if (sandbox.view !== undefined) expect((await computeEffects(sandbox.view)).effects).toEqual([])
        },
        options,
      )
      await within(
        restrictions,
        async (sandbox) => {
          expect((await runIn(sandbox, `cat ${sandbox.shared}/file; rm ${sandbox.shared}/*`)).stdout).toBe('one\n')
          expect(await readdir(mine)).toEqual([])
        },
        options,
      )
    },
  )

  test('is where it is, and the only one that can be written to, where Landlock holds readOnly', async () => {
    const { mine } = await shared()
    await within(
      { readOnly: true },
      async (sandbox, home) => {
        expect(sandbox.shared).toBe(mine)
        await runIn(sandbox, `echo one > '${mine}/file'; echo two > '${home}/file'; echo two > '${mine}/../file'`)
        expect([await readdir(mine), (await readdir(home)).toSorted()]).toEqual([['file'], ['kept.txt', 'other.txt']])
        expect((await readdir(join(mine, '..'))).toSorted()).toEqual(['mine', 'other'])
      },
      { tier: 'landlock', shared: mine },
    )
  })

  test('becomes that of the user whom commands run as', async () => {
    if (!isRoot) return
    const { hidden, mine } = await shared()
    await within(
      { dryRun: true, runAs: 'nobody' },
      async (sandbox) => {
        expect((await runIn(sandbox, `cd / && echo mine > ${sandbox.shared}/file && id -un`)).stdout).toBe('nobody\n')
        expect(await readFile(join(mine, 'file'), 'utf8')).toBe('mine\n')
      },
      { hidden: [hidden], shared: mine, cwd: '/' },
    )
  })
})

describe('without namespaces', () => {
  test('Landlock and a filter hold readOnly', () =>
    within(
      { readOnly: true },
      async (sandbox, home) => {
        const { stdout } = await runIn(sandbox, 'rm -f kept.txt; chmod 000 other.txt; echo x > new.txt; echo fine', {
          cwd: home,
        })
        expect(stdout).toBe('fine\n')
        expect((await readdir(home)).toSorted()).toEqual(['kept.txt', 'other.txt'])
        expect(await readFile(join(home, 'other.txt'), 'utf8')).toBe('other')
        expect(sandbox.tier).toBe('landlock')
      },
      { tier: 'landlock' },
    ))

  test('what was left in the background is ended too', () =>
    within(
      { readOnly: true },
      async (sandbox) => {
        await runIn(sandbox, 'setsid -f sleep 1000 > /dev/null 2>&1; (sleep 1000 > /dev/null 2>&1 &)')
        expect((await sandbox.freeze()).backgroundKilled).toBe(2)
      },
      { tier: 'landlock' },
    ))

  test.each([{ dryRun: true }, { noDelete: true }, { noOverwrite: true }])('%o is refused', async (restrictions) => {
    await expect(openSandbox(restrictions, { folder, cwd: '/', tier: 'landlock' })).rejects.toMatchObject({
      code: 'restriction_unenforceable',
    })
  })
})

describe('refused before anything runs', () => {
  test('noSudo of a root daemon that does not say whom commands run as; an ordinary user cannot become another', async () => {
    const [restrictions, restriction] = isRoot ? [{ noSudo: true }, 'noSudo'] : [{ runAs: 'root' }, 'runAs']
    await expect(openSandbox(restrictions, { folder, cwd: '/' })).rejects.toMatchObject({
      code: 'restriction_unenforceable',
      details: { restriction, step: 'plan', executed: false },
    })
  })

  test('a limit on the processes of root, which the kernel does not count', async () => {
    const opening = openSandbox({ limits: { processes: 64 } }, { folder, cwd: '/' })
    if (isRoot) await expect(opening).rejects.toMatchObject({ details: { restriction: 'limits.processes' } })
    else await (await opening).discard()
  })

  test('a user that the machine does not have', async () => {
    await expect(openSandbox({ runAs: 'cmdop-nobody-x' }, { folder, cwd: '/' })).rejects.toMatchObject({
      code: 'not_found',
    })
  })

  test.each(['win32', 'darwin', 'freebsd'] as const)('a system that is no Linux: %s', async (platform) => {
    const system = { platform, arch: 'x64', hasProcesses: false }
    await expect(openSandbox({ dryRun: true }, { folder, cwd: '/', system })).rejects.toMatchObject({
      code: 'restriction_unenforceable',
      details: { restriction: 'dryRun', step: 'plan', errno: platform, executed: false },
    })
  })

  test('a writable path that is no directory', async () => {
    await expect(openSandbox({ writablePaths: [join(base, 'none')] }, { folder, cwd: '/' })).rejects.toMatchObject({
      code: 'validation',
    })
  })
})

describe('the life of a sandbox', () => {
  test('paths longer than the system takes are named as not previewed, never applied, and removed in the end', () =>
    within({ dryRun: true }, async (sandbox, home) => {
      const name = 'n'.repeat(200)
      await runIn(sandbox, `for i in $(seq 40); do mkdir ${name} && cd -P ${name} || exit; done; echo x > file`, {
        cwd: home,
      })
      await sandbox.freeze()
      const view = sandbox.view as View
      const { effects, hash, unpreviewable } = await computeEffects(view)
      expect(effects.length).toBeGreaterThan(10)
      expect(unpreviewable.at(-1)?.why).toContain('longer than the system takes')
      const applying = applyEffect(view, hash, { journals: join(base, 'journals') })
      await expect(applying).rejects.toMatchObject({ code: 'effect_conflict' })
      await sandbox.discard()
      expect(await readdir(folder)).not.toContain(sandbox.id)
      expect((await readdir(home)).toSorted()).toEqual(['kept.txt', 'other.txt'])
    }))

  test('nothing of it is left when it is closed', async () => {
    const place = await mkdtemp(join(base, 'closed-'))
    await within({ readOnly: true }, (sandbox) => sandbox.close(), { folder: place })
    expect(await readdir(place)).toEqual([])
  })
})
