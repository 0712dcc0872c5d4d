import { afterAll, expect, test } from 'vitest'
import { openSandbox } from './sandbox.ts'
import { createPlace } from './testing/place.ts'
import { runIn } from './testing/run-in.ts'

const place = await createPlace()
const { folder, within } = place
afterAll(() => place[Symbol.asyncDispose]())

const isRoot = process.getuid?.() === 0

test.each([
  ['cpuSeconds', { cpuSeconds: 1 }, 'while :; do :; done', { exitCode: null, signal: 'SIGKILL' }],
  ['openFiles', { openFiles: 16 }, 'ulimit -n', { stdout: '16\n' }],
  [
    'memoryBytes',
    { memoryBytes: 64 * 1024 * 1024 },
    'head -c 200000000 /dev/zero | tail -n 1 > /dev/null',
    { stderr: expect.stringContaining('memory') },
  ],
])('the limit %s holds', (_, limits, script, expected) =>
  within({ dryRun: true, limits }, async (sandbox) => {
    expect(await runIn(sandbox, script)).toMatchObject(expected)
  }),
)

test('the limit processes holds', async () => {
  // The kernel counts all of the user's, so that one is too many already; it does not count those of root.
  const restrictions = { limits: { processes: 1 }, ...(isRoot && { runAs: 'nobody' }) }
  await using sandbox = await openSandbox(restrictions, { folder, cwd: '/' })
  const { exitCode, stderr } = await runIn(sandbox, '/bin/true; echo $?')
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/fork/i) })
  expect(sandbox.tier).toBe('landlock')
})

test('over viewBytes the processes are ended, nothing is started any more, and the sandbox says why', () =>
  within({ dryRun: true, limits: { viewBytes: 4 * 1024 * 1024 } }, async (sandbox, home) => {
    expect(sandbox.exceeded).toBeUndefined()
    const { signal } = await runIn(sandbox, 'while :; do head -c 1000000 /dev/zero >> big; sleep 0.05; done', {
      cwd: home,
    })
    expect(signal).toBe('SIGKILL')
    expect(sandbox.exceeded).toBe('viewBytes')
    await expect(runIn(sandbox, 'echo more')).rejects.toMatchObject({
      code: 'no_space',
      details: { limit: 'viewBytes', limitBytes: 4 * 1024 * 1024 },
    })
    const terminal = sandbox.openPty({ file: 'sh', args: [], cwd: '/', env: {}, size: { columns: 80, rows: 24 } })
    await expect(terminal).rejects.toMatchObject({ code: 'no_space' })
    expect(await sandbox.freeze()).toMatchObject({ exceeded: 'viewBytes' })
  }))
