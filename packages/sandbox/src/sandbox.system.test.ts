import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, readdir, readlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { sweep } from './remove-tree.ts'
import { HostProcess } from './starter/host-process.ts'
import { createPlace } from './testing/place.ts'
import type { SandboxProcessInput } from './testing/sandbox-process.ts'

const privilege = process.getuid?.() === 0 ? 'root' : 'user'
const place = await createPlace()
const { base, hasNamespaces } = place
afterAll(() => place[Symbol.asyncDispose]())

test.runIf(hasNamespaces)('a host that cannot prove itself', async () => {
  await using host = await HostProcess.start({ privilege, network: 'host' })
  const state = await mkdtemp(join(base, 'unproven-'))
  const shape = { view: 'readOnly', privilege, state, hidden: [], roots: [], scratch: [] } as const
  // It was started in the network of the machine, and the plan says that it was not.
  const plan = {
    ...shape,
    network: 'none',
    outerNetwork: await readlink('/proc/self/ns/net'),
    noNewPrivileges: true,
    capabilities: [],
    deny: [],
  } as const
  await expect(host.enter(plan)).rejects.toMatchObject({
    name: 'HostRefusal',
    step: 'self-test',
    errno: expect.stringContaining('network'),
  })
  await host.gone
})

test.runIf(hasNamespaces)(
  'its host and its commands end when the daemon is killed, and what is left is swept',
  async () => {
    const place = await mkdtemp(join(base, 'crash-'))
    const states = join(place, 'state')
    await mkdir(join(states, 'wanted'), { recursive: true })
    const input: SandboxProcessInput = {
      restrictions: { dryRun: true },
      folder: states,
      script: `exec sleep 7654321`,
      stay: true,
    }
    const program = fileURLToPath(new URL('testing/sandbox-process.ts', import.meta.url))
    const daemon = spawn(process.execPath, ['--conditions=@cmdop/source', program, JSON.stringify(input)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(daemon.stdout, 'data')
    const left = (await readdir(states)).find((name) => name !== 'wanted') ?? ''
    expect(await processesWith(left)).toBe(0)
    daemon.kill('SIGKILL')
    await expect.poll(() => processesWith('sleep\u{0}7654321'), { timeout: 10_000 }).toBe(0)
    expect(await sweep(states, ['wanted'])).toEqual([left])
    expect(await readdir(states)).toEqual(['wanted'])
  },
)

test.runIf(hasNamespaces)(
  'an ordinary user of a machine that has no user namespaces is told so, and readOnly still holds',
  async () => {
    // A user namespace in which no further one can be made, with another user than root in it.
    const none = ['--user', '--map-user=1000', '--map-group=1000', '--keep-caps']
    const forbid =
      'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --ambient-caps=-all --inh-caps=-all -- "$@"'
    const ask = (input: SandboxProcessInput) => askIn(none, forbid, input)
    const place = await mkdtemp(join(base, 'none-'))
    expect(await ask({ restrictions: { dryRun: true }, folder: join(place, 'state'), script: 'true' })).toMatchObject({
      code: 'restriction_unenforceable',
      details: { restriction: 'dryRun', missing: 'user namespaces', step: 'unshare', errno: 'ENOSPC', executed: false },
    })
    expect(
      await ask({
        restrictions: { readOnly: true },
        folder: join(place, 'state'),
        script: `touch '${place}/x'; echo $?`,
      }),
    ).toMatchObject({ tier: 'landlock', stdout: '1\n' })
    expect(await readdir(join(place, 'state'))).toEqual([])
  },
)

test.runIf(hasNamespaces)(
  'where there is no room for a view that is said, nothing runs, and nothing is left',
  async () => {
    const full = await mkdtemp(join(base, 'full-'))
    const fill = `mount -t tmpfs -o size=64k,mode=0700 none '${full}' && { cat /dev/zero > '${full}/large' || true; } 2> /dev/null && "$@" && ls '${full}'`
    const user = privilege === 'user' ? ['--user', '--map-root-user'] : []
    const input = { restrictions: { dryRun: true }, folder: full, script: 'true' }
    const [answer, left] = await linesIn([...user, '--mount', '--propagation', 'private'], fill, input)
    expect(JSON.parse(answer ?? '')).toMatchObject({
      code: 'no_space',
      message: expect.stringContaining('nothing ran'),
    })
    expect(left).toBe('large')
  },
)

test.runIf(hasNamespaces)(
  'a mounted socket or FIFO, and a file system that cannot be under an overlay, are empty in a view; a mounted file is there',
  async () => {
    const home = await mkdtemp(join(base, 'mounted-'))
    const server = createServer().listen(join(home, 'outside'))
    await once(server, 'listening')
    let reached = 0
    server.on('connection', () => (reached += 1))
    // Overlays can be stacked twice: the view would be the third.
    const mounts = `
      set -e; cd '${home}'; mkdir one two deep state; touch one/file socket pipe file; echo text > text; mkfifo fifo
      mount --bind outside socket; mount --bind fifo pipe; mount --bind text file
      mount -t overlay -o lowerdir=one:two none two; mount -t overlay -o lowerdir=two:one none deep; "$@"`
    const connect = `require('net').connect('${home}/socket').on('error', () => {}).on('connect', () => process.exit())`
    const script = `cd '${home}'; '${process.execPath}' -e "${connect}"; stat -c '%F' socket pipe; cat file; ls -A deep`
    const user = privilege === 'user' ? ['--user', '--map-root-user'] : []
    const namespaces = [...user, '--mount', '--propagation', 'private']
    const input = { restrictions: { dryRun: true }, folder: join(home, 'state'), script }
    expect(await askIn(namespaces, mounts, input)).toMatchObject({
      tier: 'namespaces',
      stdout: 'regular empty file\nregular empty file\ntext\n',
      unpreviewable: expect.arrayContaining([{ path: join(home, 'deep'), why: expect.stringContaining('is empty') }]),
    })
    expect(reached).toBe(0)
    server.close()
  },
)

/** What a sandbox process says that a shell starts in other namespaces, as its arguments. */
async function askIn(namespaces: readonly string[], script: string, input: SandboxProcessInput): Promise<unknown> {
  const [answer = ''] = await linesIn(namespaces, script, input)
  return JSON.parse(answer)
}

async function linesIn(namespaces: readonly string[], script: string, input: SandboxProcessInput): Promise<string[]> {
  const program = fileURLToPath(new URL('testing/sandbox-process.ts', import.meta.url))
  const daemon = [process.execPath, '--conditions=@cmdop/source', program, JSON.stringify(input)]
  const { stdout } = await promisify(execFile)('unshare', [...namespaces, '--', 'sh', '-c', script, 'sh', ...daemon])
  return stdout.trim().split('\n')
}

async function processesWith(text: string): Promise<number> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => line.includes(text)).length
}
