import { type Command, Option } from 'commander'
import type { FleetChangeFlags } from './commands/fleets.ts'
import type { Done } from './program.ts'

interface Flags {
  json?: boolean
}

/** `cmdop fleets`: the fleets themselves; `cmdop fleet` is work on many machines. */
export function addFleetsCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/fleets.ts')
  const fleets = program.command('fleets').description('the fleets in which you are a member')
  const one = (name: string, description: string) =>
    fleets.command(name).description(description).option('--json', 'print one JSON document')
  const ofFleet = (name: string, description: string) => one(name, description).argument('<fleet>', 'slug or id')
  const mfa = () => new Option('--mfa-required <when>', 'authenticators').choices(['none', 'optional', 'required'])
  one('list', 'list them').action(done(async (flags: Flags) => (await load()).listFleetsCommand(flags, signal)))
  one('get', 'show one')
    .argument('[fleet]', 'slug or id (default: the one that commands work in)')
    .action(
      done(async (fleet: string | undefined, flags: Flags) => (await load()).getFleetCommand(fleet, flags, signal)),
    )
  one('create', 'make one, which is yours')
    .argument('<slug>', 'lower case letters, digits and dashes; unique on the relay')
    .option('--name <name>', 'for people (default: the slug)')
    .addOption(mfa())
    .action(
      done(async (slug: string, flags: FleetChangeFlags) => (await load()).createFleetCommand(slug, flags, signal)),
    )
  ofFleet('update', 'change what is named')
    .option('--name <name>', 'for people')
    .addOption(mfa())
    .action(
      done(async (fleet: string, flags: FleetChangeFlags) => (await load()).updateFleetCommand(fleet, flags, signal)),
    )
  ofFleet('disable', 'end it for good, with its keys, sessions and machines').action(
    done(async (fleet: string, flags: Flags) => (await load()).disableFleetCommand(fleet, flags, signal)),
  )
  ofFleet('machines', 'list the machines that are in it')
    .addOption(new Option('--presence <state>', 'only these').choices(['any', 'online', 'suspect', 'offline']))
    .action(done(async (fleet: string, flags: Flags) => (await load()).fleetMachinesCommand(fleet, flags, signal)))
  ofFleet('attach', 'move a machine of your fleet into it: what runs there ends at once')
    .argument('<machine>', 'id, hostname, name or unique prefix')
    .action(
      done(async (fleet: string, machine: string, flags: Flags) =>
        (await load()).attachMachineCommand({ fleet, machine }, flags, signal),
      ),
    )
  ofFleet('detach', 'move a machine back to the fleet in which it enrolled: what runs there ends at once')
    .argument('<machine>', 'id, name or hostname')
    .action(
      done(async (fleet: string, machine: string, flags: Flags) =>
        (await load()).detachMachineCommand({ fleet, machine }, flags, signal),
      ),
    )
}
