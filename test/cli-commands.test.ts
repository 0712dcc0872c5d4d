import { Client } from '@cmdop/core'
import { expect, test } from 'vitest'
import { createProgram } from '../packages/cli/src/program.ts'
import { specMethods } from './spec-methods.ts'

/** The command of each method of the client's namespaces; methods that are named like a command of their namespace have that one. */
const commands: Record<string, string> = {
  'machines.resolve': 'machines get',
  'machines.clearMessages': 'machines clear-messages',
  'machines.activeSession': 'machines active-session',
  'fleets.machines.list': 'fleets machines',
  'fleets.machines.attach': 'fleets attach',
  'fleets.machines.detach': 'fleets detach',
  'fleets.members.invitations': 'members list',
  'fleets.members.revokeInvitation': 'members revoke-invitation',
  'fleets.members.update': 'members set-email',
  'fleets.members.setRole': 'members set-role',
  'fleets.members.setGroups': 'members set-groups',
  'fleets.members.resetTotp': 'members reset-totp',
  'fleets.members.settings': 'fleet settings',
  'fleets.members.configure': 'fleet settings',
  'tunnels.listen': 'tunnel',
  'schedules.run': 'schedules show-run',
  'skills.publishStatus': 'skills publish-status',
  ...named('machines', 'list get update disable enable info labels label watch ping release ask messages spend'),
  ...named('fleets', 'list get create update disable'),
  ...named('fleets.members', 'list invite add remove code', 'members'),
  ...named('tunnels', 'open close list get sessions'),
  ...named('schedules', 'list get create update delete trigger runs cancel'),
  ...named('keys', 'list issue rotate revoke'),
  ...named(
    'skills',
    'list get my install uninstall installed star versions reviews review create update delete publish run categories tags',
  ),
}

const groups = ['machines', 'fleets', 'members', 'keys', 'tunnels', 'schedules', 'skills']

type Command = ReturnType<typeof createProgram>

const program = createProgram(() => async () => {}, new AbortController().signal)

test('every method of the client has a command', async () => {
  await using client = new Client({ baseUrl: 'http://127.0.0.1:9', token: 'cmdop_key_none' })
  const { machines, fleets, tunnels, schedules, keys, skills } = client
  const methods = [
    ...methodsOf('machines', machines),
    ...methodsOf('fleets', fleets),
    ...methodsOf('fleets.members', fleets.members),
    ...methodsOf('fleets.machines', fleets.machines),
    ...methodsOf('tunnels', tunnels),
    ...methodsOf('schedules', schedules),
    ...methodsOf('keys', keys),
    ...methodsOf('skills', skills),
  ]
  expect(methods).toEqual(expect.arrayContaining(specMethods))
  expect(Object.keys(commands).toSorted()).toEqual(methods.toSorted())
})

test.each(Object.entries(commands))('client.%s is: cmdop %s', (_method, words) => {
  expect(commandOf(words.split(' '))).toBeDefined()
})

test.each(groups)('every command of cmdop %s prints one JSON document with --json', (group) => {
  const found = commandOf([group])?.commands ?? []
  expect(found.length).toBeGreaterThan(0)
  const without = found.filter(({ options }) => options.every(({ long }) => long !== '--json'))
  expect(without.map((command) => command.name())).toEqual([])
})

function named(namespace: string, methods: string, group = namespace): Record<string, string> {
  return Object.fromEntries(methods.split(' ').map((name) => [`${namespace}.${name}`, `${group} ${name}`]))
}

/** But those that give what another one gives, all of it or page by page. */
function methodsOf(name: string, namespace: object): string[] {
  return Object.getOwnPropertyNames(Object.getPrototypeOf(namespace))
    .filter((method) => !/^(?:constructor$|iter|pages)/.test(method))
    .map((method) => `${name}.${method}`)
}

function commandOf(words: readonly string[]): Command | undefined {
  return words.reduce<Command | undefined>(
    (found, word) => found?.commands.find((command) => command.name() === word),
    program,
  )
}
