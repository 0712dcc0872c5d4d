import { type Command, Option } from 'commander'
import type { IssueFlags } from './commands/keys.ts'
import type { LoginFlags } from './commands/login.ts'
import type { FleetFlags } from './fleet-client.ts'
import type { Done } from './program.ts'

interface Flags extends FleetFlags {
  json?: boolean
}

const ROLES = ['owner', 'admin', 'member', 'viewer']

/** Commands about who may do what: signing in, members, keys, settings of the fleet. */
export function addIdentityCommands(program: Command, done: Done, signal: AbortSignal): void {
  addLoginCommands(program, done, signal)
  addMemberCommands(program, done, signal)
  addKeyCommands(program, done, signal)
}

function addLoginCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/login.ts')
  const login = program.command('login').enablePositionalOptions().description('sign in, for later commands')
  login
    .option('--url <url>', 'address of the relay (default: the one that is configured)')
    .option('--email <email>', 'your email')
    .option('--code <code>', 'the code that you were given (default: it is asked for)')
    .option('--totp <code>', 'of your authenticator')
    .option('--fleet <fleet>', 'slug or id of where you sign in (default: the oldest that has your email)')
    .option('--key', 'keep an API key instead, from standard input')
    .option('--json', 'print one JSON document')
    .action(done(async (flags: LoginFlags) => (await load()).loginCommand(flags, signal)))
  login
    .command('list')
    .description('list where you are signed in')
    .option('--json', 'print one JSON document')
    .action(done(async (flags: { json?: boolean }) => (await load()).listSessionsCommand(flags, signal)))
  login
    .command('revoke')
    .description('end a session of yours at once')
    .argument('<id>', 'from: cmdop login list')
    .action(done(async (id: string) => (await load()).revokeSessionCommand(id, signal)))
  login
    .command('code')
    .description('print a code to sign in elsewhere')
    .option('--json', 'print one JSON document')
    .action(done(async (flags: { json?: boolean }) => (await load()).ownCodeCommand(flags, signal)))
  login
    .command('totp')
    .description('set up an authenticator')
    .option('--remove', 'remove it, with a code of it')
    .option('--code <code>', 'of the authenticator (default: it is asked for)')
    .action(done(async (flags: { remove?: boolean; code?: string }) => (await load()).totpCommand(flags, signal)))
  program
    .command('logout')
    .description('end the session that is kept, and forget it')
    .action(done(async () => (await load()).logoutCommand(signal)))
  program
    .command('whoami')
    .description('tell who you are to the relay')
    .option('--json', 'print one JSON document')
    .action(done(async (flags: { json?: boolean }) => (await load()).whoamiCommand(flags, signal)))
  program
    .command('join')
    .description('accept an invitation')
    .argument('<link>', 'the whole link, in quotes')
    .option('--name <name>', 'your name')
    .option('--json', 'print one JSON document')
    .action(
      done(async (link: string, flags: { name?: string; json?: boolean }) =>
        (await load()).joinCommand(link, flags, signal),
      ),
    )
}

function addMemberCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/members.ts')
  const members = program.command('members').description('the people of the fleet')
  const command = (name: string, description: string) => inFleet(members.command(name).description(description))
  const one = (name: string, description: string) => command(name, description).argument('<member>', 'email or id')
  command('list', 'list members and who is invited').action(
    done(async (flags: Flags) => (await load()).listMembersCommand(flags, signal)),
  )
  command('invite', 'print a link that makes a member, once')
    .argument('<email>', 'of who is invited')
    .addOption(new Option('--role <role>', 'role (default: member)').choices(ROLES))
    .option('--group <group...>', 'labels, such as ops')
    .option('--expires <duration>', 'how long it is good for (default: 7d)')
    .action(
      done(async (email: string, flags: Flags & { role?: string; group?: string[]; expires?: string }) =>
        (await load()).inviteCommand(email, flags, signal),
      ),
    )
  command('add', 'make somebody a member, who signs in with a code')
    .argument('<email>', 'of the new member; in another fleet, one of yours is that person there, too')
    .addOption(new Option('--role <role>', 'role (default: member)').choices(ROLES))
    .option('--group <group...>', 'labels, such as ops')
    .option('--name <name>', 'for people')
    .action(
      done(async (email: string, flags: Flags & { role?: string; group?: string[]; name?: string }) =>
        (await load()).addMemberCommand(email, flags, signal),
      ),
    )
  command('revoke-invitation', 'end an invitation that is open')
    .argument('<id>', 'from: cmdop members list')
    .action(done(async (id: string, flags: Flags) => (await load()).revokeInvitationCommand(id, flags, signal)))
  one('set-role', 'change the role; what runs and is allowed no more ends at once')
    .argument('<role>', ROLES.join(', '))
    .action(
      done(async (member: string, role: string, flags: Flags) =>
        (await load()).changeMemberCommand(member, { role }, { ...flags, signal }),
      ),
    )
  one('set-groups', 'change the groups')
    .argument('[groups...]', 'all of them; none: of no group')
    .action(
      done(async (member: string, groups: string[], flags: Flags) =>
        (await load()).changeMemberCommand(member, { groups }, { ...flags, signal }),
      ),
    )
  one('set-email', 'change the email')
    .argument('<email>', 'the new one')
    .action(
      done(async (member: string, email: string, flags: Flags) =>
        (await load()).changeMemberCommand(member, { email }, { ...flags, signal }),
      ),
    )
  one('remove', 'end a membership at once, with keys, sessions and all that acts for the member').action(
    done(async (member: string, flags: Flags) => (await load()).removeMemberCommand(member, flags, signal)),
  )
  one('code', 'print a code with which the member signs in').action(
    done(async (member: string, flags: Flags) => (await load()).memberCodeCommand(member, flags, signal)),
  )
  one('reset-totp', 'remove an authenticator that is lost').action(
    done(async (member: string, flags: Flags) => (await load()).resetTotpCommand(member, flags, signal)),
  )
}

function addKeyCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/keys.ts')
  const keys = program.command('keys').description('API keys of the fleet')
  const command = (name: string, description: string) => inFleet(keys.command(name).description(description))
  command('list', 'list keys, the newest first')
    .option('--sessions', 'where people are signed in instead')
    .option('--mine', 'only yours, and those of operators that act for you')
    .action(
      done(async (flags: Flags & { sessions?: boolean; mine?: boolean }) =>
        (await load()).listKeysCommand(flags, signal),
      ),
    )
  command('issue', 'print a new key, once; it can do no more than you')
    .argument('<name>', 'for people to tell keys apart')
    .addOption(new Option('--kind <kind>', 'who uses it (default: service)').choices(['human', 'ai', 'service']))
    .addOption(new Option('--role <role>', 'role at most (default: member)').choices(ROLES))
    .option('--member <member>', 'of kind human: whose key it is (default: yours)')
    .option('--action <action...>', 'only these: machine.exec, file.*')
    .option('--machine <machine...>', 'only these: ids, names, or names with * and ?')
    .option('--from <range...>', 'only from these addresses: 192.0.2.0/24')
    .option('--max-targets <count>', 'machines that one run of it may reach')
    .option('--days <count>', 'how long it is good for (default: for ever)')
    .action(done(async (name: string, flags: IssueFlags) => (await load()).issueKeyCommand(name, flags, signal)))
  command('rotate', 'print a new key in the place of another, once')
    .argument('<id>', 'from: cmdop keys list')
    .option('--overlap <duration>', 'how long the old one stays good (default: not at all)')
    .action(
      done(async (id: string, flags: Flags & { overlap?: string }) =>
        (await load()).rotateKeyCommand(id, flags, signal),
      ),
    )
  command('revoke', 'end a key or session at once, with what runs for it')
    .argument('<id>', 'from: cmdop keys list')
    .action(done(async (id: string, flags: Flags) => (await load()).revokeKeyCommand(id, flags, signal)))
}

/** A command in a fleet: `--fleet` and `--json`. */
export function inFleet(command: Command): Command {
  return command
    .option('--fleet <fleet>', 'slug or id of another fleet of yours (default: that of your key)')
    .option('--json', 'print one JSON document')
}
