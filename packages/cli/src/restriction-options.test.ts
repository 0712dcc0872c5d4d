import { Command } from 'commander'
import { expect, test } from 'vitest'
import { namesOf, type RestrictionFlags, restrictionsOf, withRestrictionOptions } from './restriction-options.ts'

function parse(...argv: string[]) {
  const command = withRestrictionOptions(new Command('exec').argument('[words...]')).exitOverride()
  return restrictionsOf(command.parse(argv, { from: 'user' }).opts<RestrictionFlags>())
}

test.each([
  ['--dry-run', { dryRun: true }],
  ['--read-only', { readOnly: true }],
  ['--no-delete', { noDelete: true }],
  ['--no-overwrite', { noOverwrite: true }],
  ['--no-network', { network: 'none' }],
  ['--no-sudo', { noSudo: true }],
  ['--run-as nobody', { runAs: 'nobody' }],
  ['--write /srv', { writablePaths: ['/srv'] }],
  ['--limit cpu-seconds=10', { limits: { cpuSeconds: 10 } }],
  ['--limit memory=512M --limit view=2g', { limits: { memoryBytes: 536_870_912, viewBytes: 2_147_483_648 } }],
  ['--limit processes=64 --limit open-files=100', { limits: { processes: 64, openFiles: 100 } }],
  ['--dry-run --with-network', { dryRun: true, network: 'host' }],
])('%s is that restriction alone', (argv, restrictions) => {
  expect(parse(...argv.split(' '))).toEqual(restrictions)
})

test('several restrictions are all of them, and a directory can be named again', () => {
  const argv = ['--no-delete', '--write', '/srv', 'words', '--write', '/var/lib', '--no-sudo', 'more']
  expect(parse(...argv)).toEqual({ noDelete: true, writablePaths: ['/srv', '/var/lib'], noSudo: true })
})

test('without an option there is no restriction', () => {
  expect(parse()).toBeUndefined()
  expect(parse('--with-network')).toBeUndefined()
})

test('no network and the network contradict each other', () => {
  expect(() => parse('--no-network', '--with-network')).toThrow(expect.objectContaining({ code: 'config' }))
})

test.each(['cpu=1', 'memory', 'memory=much', 'memory=-1', 'open-files=1k', 'toString=1', 'view=1G --limit view=2G'])(
  'a limit that is none is refused: %s',
  (text) => {
    expect(() => parse(...`--limit ${text}`.split(' '))).toThrow(expect.objectContaining({ code: 'config' }))
  },
)

test('in a table they are named, and the network with them', () => {
  expect(namesOf({ dryRun: true, noDelete: false, network: 'host', writablePaths: ['/srv'] })).toBe(
    'dryRun, network host, writablePaths',
  )
  expect(namesOf(null)).toBe('-')
})
