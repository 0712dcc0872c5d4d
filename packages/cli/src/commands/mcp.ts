import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Secret } from '@cmdop/agent'
import { Client } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import { mcpToken } from '../config.ts'
import { connectMachine } from '../connect.ts'
import { exitCodes } from '../exit-codes.ts'
import { interrupted } from '../interrupt.ts'
import { hostNames, isLoopback } from '../mcp/http-guard.ts'
import { fleetSource, type MachineSource, singleSource } from '../mcp/machine-source.ts'
import { createMcpServer, type McpOptions } from '../mcp/mcp-server.ts'
import { type HttpOptions, serveHttp } from '../mcp/serve-http.ts'
import { serveStdio } from '../mcp/serve-stdio.ts'
import { parsePort } from '../numbers.ts'
import { effectLine } from '../effects/tell-effect.ts'
import { type RestrictionFlags, restrictionsOf } from '../restriction-options.ts'
import { say } from '../terminal.ts'

/** Port of the HTTP server unless chosen. */
const DEFAULT_MCP_PORT = 7421

export interface McpFlags extends RestrictionFlags {
  machine?: string
  readOnlyTools?: boolean
  http?: boolean
  host?: string
  port?: string
  tokenFile?: string
  allowHost?: string[]
  insecurePublic?: boolean
}

/** `cmdop mcp`: a machine or a fleet as an MCP server, until its client leaves, ^C or SIGTERM. */
export async function mcpCommand(flags: McpFlags, signal: AbortSignal): Promise<number> {
  const http = await httpOptions(flags)
  await using opened = new AsyncDisposableStack()
  const { machines, key } = await openMachines(flags.machine, opened, signal)
  const secrets = [key, http?.token].flatMap((secret) => (secret === undefined ? [] : [new Secret(secret)]))
  const options: McpOptions = {
    machines,
    readOnly: flags.readOnlyTools === true,
    secrets,
    restrictions: restrictionsOf(flags),
    onEffect: (effect, machine) => void say(`mcp: ${effectLine(effect, machine.name)}`),
  }
  const offered = machines.only === undefined ? 'the machines of the fleet' : machines.only.name
  if (http === undefined) {
    const mcp = opened.use(createMcpServer(options))
    await say(`mcp: ${offered}, on standard streams`)
    await serveStdio(mcp, signal)
    return exitCodes.ok
  }
  const { url } = opened.use(await serveHttp(() => createMcpServer(options), http))
  await say(`mcp: ${offered}, at ${url}`)
  if (http.isNewToken) await say(`mcp: token, shown only now: ${http.token}`)
  await interrupted(signal)
  return exitCodes.ok
}

async function openMachines(
  reference: string | undefined,
  opened: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<{ machines: MachineSource; key: string | undefined }> {
  if (reference === undefined) {
    const client = opened.use(new Client())
    // A key that is not valid is told at once, and not to a model.
    await client.me({ signal })
    return { machines: fleetSource(client), key: client.token }
  }
  const { client, machine } = opened.use(await connectMachine(reference, signal))
  return { machines: singleSource(client, machine), key: client.token }
}

/** undefined: standard streams. Throws `config` for what does not go together. */
async function httpOptions(flags: McpFlags): Promise<(HttpOptions & { isNewToken: boolean }) | undefined> {
  const { http, host = '127.0.0.1', allowHost = [], insecurePublic, port, tokenFile } = flags
  if (http !== true) {
    const given = flags.host ?? port ?? tokenFile ?? flags.allowHost ?? insecurePublic
    if (given === undefined) return undefined
    throw new CmdopError(
      'config',
      'Expected --http with --host, --port, --token-file, --allow-host or --insecure-public.',
    )
  }
  if (!isLoopback(host) && insecurePublic !== true) {
    throw new CmdopError(
      'config',
      `The server does not bind ${host}, because its token would travel in the clear. ` +
        'Bind loopback, or say --insecure-public if something in front of it does TLS.',
    )
  }
  const token = tokenFile === undefined ? mcpToken() : await readToken(tokenFile)
  if (token !== undefined && !/^[\x21-\x7e]{16,}$/.test(token))
    throw new CmdopError('config', `Expected the token of the server to be 16 visible ASCII characters or more.`)
  return {
    host,
    port: parsePort(port, DEFAULT_MCP_PORT),
    hosts: hostNames(host, allowHost),
    token: token ?? randomBytes(32).toString('base64url'),
    isNewToken: token === undefined,
  }
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (cause) {
    throw new CmdopError('config', `${path} cannot be read. It holds the token of the server.`, { cause })
  }
}
