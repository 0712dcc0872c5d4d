import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startAsked } from './asked-world.ts'
import { startCli } from './processes/cli.ts'

test('cmdop machine pin sets the PIN of this machine from standard input, never from its arguments, and takes it away', async () => {
  await using asked = await startAsked([{ text: 'In.' }, { text: 'Still in.' }])
  const { client, machine } = asked.world
  const { dataDir } = machine
  const cli = (argv: string[], input = '') => startCli(['machine', 'pin', ...argv], {}, input).done
  const ask = (pin?: string) => client.machines.ask(machine.id, 'Hello', pin === undefined ? {} : { pin }).collect()

  const set = await cli(['set', '--data', dataDir], 'right-pin\n')
  expect(set).toMatchObject({ code: 0, stdout: '' })
  expect(set.stderr).not.toContain('right-pin')
  expect(await readFile(join(dataDir, 'pin.json'), 'utf8')).not.toContain('right-pin')
  await expect(ask('other-pin')).rejects.toMatchObject({ code: 'pin_denied' })
  expect(await ask('right-pin')).toBe('In.')

  const refused: [string[], string][] = [
    [['set', 'other-pin', '--data', dataDir], ''],
    [['set', '--data', dataDir], 'no\n'],
    [['set', '--data', dataDir], ''],
    [['set', '--data', join(dataDir, 'nowhere')], 'other-pin\n'],
    [['remove', '--data', join(dataDir, 'nowhere')], ''],
  ]
  for (const [argv, input] of refused) {
    const { code, stderr } = await cli(argv, input)
    expect([argv, code === 0]).toEqual([argv, false])
    expect(stderr).not.toBe('')
  }
  await expect(ask('other-pin')).rejects.toMatchObject({ code: 'pin_denied' })

  expect(await cli(['remove', '--data', dataDir])).toMatchObject({ code: 0 })
  expect(await ask()).toBe('Still in.')
})
