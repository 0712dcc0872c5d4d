import { type Command, Option } from 'commander'
import type { AskFlags } from './commands/ask.ts'
import type { MachinesFlags } from './commands/machines.ts'
import type { Done } from './program.ts'
import { withRestrictionOptions } from './restriction-options.ts'

interface Flags {
  json?: boolean
}

/** `cmdop machines`: the machines of the fleet; `cmdop machine` is this one. */
export function addMachinesCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/machines.ts')
  const machines = program.command('machines').enablePositionalOptions()
  const list = (command: Command) =>
    command
      .addOption(new Option('--presence <state>', 'only these').choices(['any', 'online', 'suspect', 'offline']))
      .option('--q <text>', 'only those whose name or hostname has this part')
      .option('--disabled', 'those that are disabled, and no others')
      .option('--json', 'print one JSON document')
      .action(done(async (flags: MachinesFlags) => (await load()).machinesCommand(flags, signal)))
  const one = (name: string, description: string) =>
    machines
      .command(name)
      .description(description)
      .argument('<machine>', 'id, hostname, name or unique prefix')
      .option('--json', 'print one JSON document')
  list(machines.description('list the machines of the fleet'))
  list(machines.command('list').description('list the machines of the fleet'))
  one('get', 'show all that is known of a machine, also of one that is disabled').action(
    done(async (machine: string, flags: Flags) => (await load()).getMachineCommand(machine, flags, signal)),
  )
  one('update', 'give a machine another name')
    .requiredOption('--name <name>', 'unique in every fleet that has or uses it')
    .action(
      done(async (machine: string, flags: Flags & { name: string }) =>
        (await load()).updateMachineCommand(machine, flags, signal),
      ),
    )
  one('labels', 'show the labels of a machine').action(
    done(async (machine: string, flags: Flags) => (await load()).labelCommand(machine, [], { ...flags, signal })),
  )
  one('label', 'change the labels of a machine, by which selectors find it')
    .argument('<change...>', 'role=web sets, role- removes')
    .action(
      done(async (machine: string, changes: string[], flags: Flags) =>
        (await load()).labelCommand(machine, changes, { ...flags, signal }),
      ),
    )
  one('disable', 'end what runs on a machine and its connection, and let it connect no more').action(
    done(async (machine: string, flags: Flags) => (await load()).disableMachineCommand(machine, flags, signal)),
  )
  one('enable', 'let a machine connect again that was disabled').action(
    done(async (machine: string, flags: Flags) => (await load()).enableMachineCommand(machine, flags, signal)),
  )
  one('release', 'let a machine run again after two daemons used its key at once').action(
    done(async (machine: string, flags: Flags) => (await load()).releaseCommand(machine, flags, signal)),
  )
  machines
    .command('ping')
    .description('ask daemons for a sign of life now')
    .argument('<machine...>', 'ids, hostnames, names or unique prefixes')
    .option('--timeout <duration>', 'how long to wait (default: 5s)')
    .option('--json', 'print one JSON document')
    .action(
      done(async (names: string[], flags: Flags & { timeout?: string }) =>
        (await load()).pingCommand(names, { ...flags, signal }),
      ),
    )
  addStateCommands({ machines, one }, done, signal)
}

interface MachinesCommands {
  readonly machines: Command
  readonly one: (name: string, description: string) => Command
}

function addStateCommands({ machines, one }: MachinesCommands, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/machine-state.ts')
  withRestrictionOptions(one('ask', 'ask the AI operator that lives on a machine'))
    .argument('<prompt...>', 'the task')
    .option('--session <id>', 'go on with a conversation, from: cmdop machines active-session (default: a new one)')
    .option(
      '--pin <pin>',
      'of the machine; - reads a line of standard input, which others here cannot see (default: it is asked for)',
    )
    .addOption(
      new Option('--confirm <when>', 'what you are asked about (default: suspicious)').choices([
        'suspicious',
        'changes',
      ]),
    )
    .option('--schema <file>', 'what the answer must be: .ts, .js (Zod) or .json (JSON Schema)')
    .option('--timeout <duration>', 'stop it after this time')
    .action(
      done(async (machine: string, words: string[], flags: AskFlags) =>
        (await import('./commands/ask.ts')).askCommand(machine, words, { ...flags, signal }),
      ),
    )
  one('info', 'measure a machine now, where it is online').action(
    done(async (machine: string, flags: Flags) => (await load()).machineInfoCommand(machine, flags, signal)),
  )
  one('spend', 'tell what the asks of a machine cost')
    .option('--window <window>', 'such as 24h or 7d (default: 7d)')
    .action(
      done(async (machine: string, flags: Flags & { window?: string }) =>
        (await load()).machineSpendCommand(machine, flags, signal),
      ),
    )
  one('messages', 'show your latest conversation with the operator of a machine')
    .option('--limit <count>', 'at most so many (default: 50)')
    .action(
      done(async (machine: string, flags: Flags & { limit?: string }) =>
        (await load()).messagesCommand(machine, flags, signal),
      ),
    )
  one('clear-messages', 'forget your latest conversation with the operator of a machine').action(
    done(async (machine: string, flags: Flags) => (await load()).clearMessagesCommand(machine, flags, signal)),
  )
  one('active-session', 'print the id of your latest conversation with the operator of a machine').action(
    done(async (machine: string, flags: Flags) => (await load()).activeSessionCommand(machine, flags, signal)),
  )
  machines
    .command('watch')
    .description('tell what becomes of machines, as it happens')
    .option('--json', 'print JSON, a document a line')
    .action(done(async (flags: Flags) => (await load()).watchMachinesCommand(flags, signal)))
}
