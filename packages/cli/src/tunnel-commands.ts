import type { Command } from 'commander'
import type { TunnelOpenFlags } from './commands/tunnels.ts'
import type { Done } from './program.ts'

interface Flags {
  json?: boolean
}

/** `cmdop tunnel` and `cmdop tunnels`. */
export function addTunnelCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/tunnels.ts')
  program
    .command('tunnel')
    .description('listen on this computer, and lead each connection to a port of a machine, until ^C')
    .argument('<target>', '<machine>:<port>, <machine>:<host>:<port> as seen from there, or the id of a tunnel')
    .option('--local <port>', 'port on this computer (default: any free one)')
    .option('--local-host <address>', 'address on this computer; whoever reaches it uses your key (default: 127.0.0.1)')
    .option('--json', 'print one JSON document')
    .action(
      done(async (target: string, flags: Flags & { local?: string; localHost?: string }) =>
        (await import('./commands/tunnel.ts')).tunnelCommand(target, { ...flags, signal }),
      ),
    )
  const tunnels = program.command('tunnels').description('tunnels to ports of machines, and their public addresses')
  const one = (name: string, description: string) =>
    tunnels.command(name).description(description).option('--json', 'print one JSON document')
  const ofId = (name: string, description: string) =>
    one(name, description).argument('<id>', 'of the tunnel, from: cmdop tunnels list')
  one('list', 'list those that are open, the newest first').action(
    done(async (flags: Flags) => (await load()).listTunnelsCommand({ ...flags, signal })),
  )
  one('open', 'open one to a port of a machine; prints what its visitors show, once')
    .argument('<target>', '<machine>:<port>, or <machine>:<host>:<port> as seen from there')
    .option('--protocol <protocol>', 'http, https (the target speaks TLS) or tcp (default: http)')
    .option('--subdomain <label>', 'of its public address (default: one that nobody guesses)')
    .option('--ttl <duration>', 'close it after this time, such as 30m, 8h or 7d (default: 24h)')
    .option('--allow-peer <range...>', 'addresses (CIDR) that may come (default: any)')
    .option('--auth <auth>', 'what visitors show: bearer, basic, or none for anybody (default: bearer)')
    .option('--username <name>', 'of basic (default: cmdop)')
    .option('--max-connections <count>', 'at once (default: 100)')
    .option('--max-bytes <count>', 'close it when it has carried so many, such as 10G (default: no limit)')
    .option('--idle <duration>', 'end a connection that is silent for so long (default: 2h)')
    .option('--tls-server-name <name>', 'of https: the name in the certificate of the target (default: its host)')
    .option('--insecure-tls', 'of https: take any certificate of the target')
    .action(
      done(async (target: string, flags: TunnelOpenFlags) =>
        (await load()).openTunnelCommand(target, { ...flags, signal }),
      ),
    )
  ofId('close', 'close it, and its connections at once').action(
    done(async (id: string, flags: Flags) => (await load()).closeTunnelCommand(id, { ...flags, signal })),
  )
  ofId('get', 'show one, also for some days after it was closed').action(
    done(async (id: string, flags: Flags) => (await load()).getTunnelCommand(id, { ...flags, signal })),
  )
  one('sessions', 'list the machines that are connected').action(
    done(async (flags: Flags) => (await load()).listTunnelSessionsCommand({ ...flags, signal })),
  )
}
