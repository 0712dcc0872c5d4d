import { existsSync } from 'node:fs'
import { setMachinePin } from '@cmdop/machine'
import { expect, test } from 'vitest'
import { runs, startAsked } from './asked-world.ts'
import { cliMain, runCli, startCli } from './processes/cli.ts'
import { ownEnvironment } from './processes/environment.ts'
import { startTmux } from './processes/tmux.ts'
import type { World } from './world.ts'

const envOf = ({ relay }: World) => ({ CMDOP_BASE_URL: relay.url, CMDOP_TOKEN: relay.firstKey })

/** `cmdop machines ask` in a terminal, which says its exit code at its end. */
async function typed(world: World, args: string) {
  await using opening = new AsyncDisposableStack()
  const tmux = opening.use(startTmux({ columns: 160, rows: 40 }))
  const terminal = await tmux.open(['/bin/sh'], { ...ownEnvironment(), ...envOf(world) })
  const command = `${process.execPath} --conditions=@cmdop/source ${cliMain} machines ask machine-0 ${args}`
  await terminal.type(`clear; ${command}; echo "exit code $?"\n`)
  const opened = opening.move()
  return { ...terminal, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

test('the answer is on stdout, what the operator does on stderr, and a conversation goes on', async () => {
  await using asked = await startAsked([runs('echo looked'), { text: 'Up for a day.' }, { text: 'Since noon.' }])
  const env = envOf(asked.world)
  const first = await runCli(['machines', 'ask', 'machine-0', 'How', 'long?'], env)
  expect(first).toMatchObject({ code: 0, stdout: 'Up for a day.\n', stderr: expect.stringContaining('echo looked') })
  const { stdout: session } = await runCli(['machines', 'active-session', 'machine-0'], env)
  const ask = ['machines', 'ask', 'machine-0', 'Since when?', '--session', session.trim(), '--json']
  const { code, stdout } = await runCli(ask, env)
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    type: 'done',
    success: true,
    text: 'Since noon.',
    session_id: session.trim(),
    run_id: expect.any(String),
    effects: [],
  })
  expect(JSON.parse(stdout)).not.toHaveProperty('runId')
})

test('without a terminal, a PIN has to be passed, and nothing is confirmed', async () => {
  const made = '/tmp/cmdop-ask-made'
  await using asked = await startAsked([runs(`touch ${made}`)])
  const { world } = asked
  await setMachinePin(world.machine.dataDir, '1234')
  const ask = (...argv: string[]) => runCli(['machines', 'ask', 'machine-0', 'Go', ...argv], envOf(world))
  expect(await ask()).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--pin -') })
  expect(await ask('--pin', '4321')).toMatchObject({ code: 3, stderr: expect.stringContaining('pin_denied') })
  const argv = ['machines', 'ask', 'machine-0', 'Go', '--pin', '-', '--confirm', 'changes', '--json']
  const { code, stdout, stderr } = await startCli(argv, envOf(world), '1234\n').done
  expect([code, JSON.parse(stdout).error.code]).toEqual([3, 'permission'])
  expect(stderr).toContain(`touch ${made}`)
  expect(existsSync(made)).toBe(false)
})

test('at a terminal, the PIN is typed unseen, and only a yes confirms what is shown', async () => {
  await using asked = await startAsked([runs('touch made'), runs('touch made'), { text: 'It is made.' }])
  const { world } = asked
  await setMachinePin(world.machine.dataDir, 'right-pin')
  for (const [answer, end] of [
    ['maybe', 'exit code 1'],
    ['yes', 'exit code 0'],
  ] as const) {
    await using terminal = await typed(world, 'Make it --confirm changes')
    await terminal.until('PIN of machine-0:')
    await terminal.type('right-pin\n')
    await terminal.until('Type yes or no:')
    expect(await terminal.screen()).toContain('touch made')
    await terminal.type(`${answer}\n`)
    await terminal.until(end)
    expect(await terminal.screen()).not.toContain('right-pin')
  }
})
