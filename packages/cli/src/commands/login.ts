import { Client, type SignedIn } from '@cmdop/core'
import {
  CmdopError,
  isCmdopError,
  isOfProxy,
  Me,
  LoginSession,
  SignInCode,
  SignedIn as SignedInSchema,
} from '@cmdop/protocol'
import { configFile, forgetToken, readConfigFile, writeConfigFile } from '../config.ts'
import { exitCodes } from '../exit-codes.ts'
import { askFor, askForSecret } from '../prompt.ts'
import { wireNames, writeResource } from '../resource-json.ts'
import { formatTable, say, writeJson, writeStdout } from '../terminal.ts'

export interface LoginFlags {
  url?: string
  email?: string
  code?: string
  totp?: string
  fleet?: string
  key?: boolean
  json?: boolean
}

/** `cmdop login`: signs in with a code, or keeps a key, for later commands. */
export async function loginCommand(flags: LoginFlags, signal: AbortSignal): Promise<number> {
  await using client = clientFor(flags.url)
  if (flags.key === true) {
    const token = await askForSecret('key: ', signal)
    await using known = new Client({ baseUrl: client.baseUrl, token })
    const { name, role } = await known.me({ signal })
    await keep(client.baseUrl, token)
    await tell(flags, { name, role })
    return exitCodes.ok
  }
  const email = flags.email ?? (await askFor('email: ', signal))
  if (flags.code === undefined) await requestCode(client, { email, fleet: flags.fleet }, signal)
  const code = flags.code ?? (await askFor('code: ', signal))
  const signedIn = await signIn(client, { email, code, totp: flags.totp, fleet: flags.fleet }, signal)
  await finish(client.baseUrl, signedIn, flags)
  return exitCodes.ok
}

/** `cmdop join`: accepts an invitation. */
export async function joinCommand(
  link: string,
  flags: { name?: string; json?: boolean },
  signal: AbortSignal,
): Promise<number> {
  const url = URL.parse(link)
  const token = url?.hash.slice(1) ?? ''
  if (url === null || token === '')
    throw new CmdopError('config', 'Expected the whole link of the invitation, with what is behind its #, in quotes.')
  await using client = clientFor(url.origin)
  const name = flags.name === undefined ? {} : { displayName: flags.name }
  const signedIn = await client.login.accept({ token, ...name }, { signal })
  await finish(client.baseUrl, signedIn, flags)
  return exitCodes.ok
}

/** `cmdop logout`: ends the session that is kept, and forgets it; a key is only forgotten. */
export async function logoutCommand(signal: AbortSignal): Promise<number> {
  const { baseUrl, token } = await readConfigFile()
  if (baseUrl === undefined || token === undefined) throw new CmdopError('config', 'You are not signed in.')
  await using client = new Client({ baseUrl, token })
  const current = await client.login.sessions({ signal }).then(
    ({ items }) => items.find((session) => session.current),
    (error: unknown) => {
      // What is no session, or none any more, has nothing to end.
      if (isCmdopError(error) && !isOfProxy(error) && (error.code === 'auth' || error.code === 'permission'))
        return undefined
      throw error
    },
  )
  if (current !== undefined) await client.login.revoke(current.id, { signal })
  await forgetToken()
  await say(current === undefined ? `the key is forgotten; it is still good` : 'signed out')
  return exitCodes.ok
}

/** `cmdop whoami`. */
export async function whoamiCommand(flags: { json?: boolean }, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const me = await client.me({ signal })
  if (flags.json === true) await writeResource(Me, me)
  else {
    const { name, email, kind, role, groups, fleetId: fleet, credential } = me
    const until = credential.expiresAt === null ? '' : ` until ${credential.expiresAt}`
    const of = groups.length === 0 ? '' : `, of ${groups.join(', ')}`
    await writeStdout(`${email ?? name}: ${kind}, ${role}${of}, fleet ${fleet}, by a ${credential.type}${until}\n`)
  }
  return exitCodes.ok
}

/** `cmdop login list`: where you are signed in. */
export async function listSessionsCommand(flags: { json?: boolean }, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const { items } = await client.login.sessions({ signal })
  if (flags.json === true) await writeResource(LoginSession, { items })
  else {
    const rows = items.map((session) => [
      session.id,
      session.current ? 'this one' : '',
      session.createdAt,
      session.lastUsedAt ?? 'never',
      session.ip ?? '-',
      session.userAgent ?? '-',
    ])
    await writeStdout(formatTable(['ID', '', 'SINCE', 'LAST USED', 'FROM', 'WITH'], rows))
  }
  return exitCodes.ok
}

/** `cmdop login revoke`. */
export async function revokeSessionCommand(id: string, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  await client.login.revoke(id, { signal })
  return exitCodes.ok
}

/** `cmdop login code`: to sign in elsewhere. */
export async function ownCodeCommand(flags: { json?: boolean }, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const code = await client.login.ownCode({ signal })
  if (flags.json === true) await writeResource(SignInCode, code)
  else await writeStdout(`${code.code}\n`)
  return exitCodes.ok
}

/** `cmdop login totp`: sets up an authenticator, or removes it. */
export async function totpCommand(flags: { remove?: boolean; code?: string }, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  if (flags.remove === true) {
    await client.login.removeTotp(flags.code ?? (await askFor('code of the authenticator: ', signal)), { signal })
    await say('removed')
    return exitCodes.ok
  }
  const { secret, otpauthUri: uri } = await client.login.setUpTotp({ signal })
  await say(`secret: ${secret}`)
  await say(uri)
  await client.login.confirmTotp(flags.code ?? (await askFor('first code of the authenticator: ', signal)), { signal })
  await say('set up: signing in takes a code of it from now on')
  return exitCodes.ok
}

function clientFor(url: string | undefined): Client {
  return new Client(url === undefined ? {} : { baseUrl: url })
}

async function requestCode(
  client: Client,
  { email, fleet }: { email: string; fleet: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const { mail } = await client.login.requestCode(email, { fleet, signal })
  if (mail) await say('if a member has this email, a code is on its way')
  else await say('this relay sends no mail: an admin gives you a code with cmdop members code')
}

async function signIn(
  client: Client,
  { email, code, totp, fleet }: { email: string; code: string; totp: string | undefined; fleet: string | undefined },
  signal: AbortSignal,
): Promise<SignedIn> {
  const shown = { email, code, ...(totp === undefined ? {} : { totp }), ...(fleet === undefined ? {} : { fleet }) }
  try {
    return await client.login.signIn(shown, { signal })
  } catch (error) {
    if (!isCmdopError(error) || error.details?.['totp'] !== 'required' || totp !== undefined) throw error
    const asked = await askFor('code of the authenticator: ', signal)
    return await signIn(client, { email, code, totp: asked, fleet }, signal)
  }
}

async function finish(baseUrl: string, signedIn: SignedIn, flags: { json?: boolean }): Promise<void> {
  await keep(baseUrl, signedIn.token)
  const { token: _, ...shown } = signedIn
  await tell(flags, wireNames(SignedInSchema.omit({ token: true }), shown))
  if (signedIn.totpRequired) await say('the fleet asks for an authenticator; set one up: cmdop login totp')
}

async function keep(baseUrl: string, token: string): Promise<void> {
  if (await writeConfigFile({ baseUrl, token })) return
  throw new CmdopError('conflict', `${configFile()} holds another relay; sign out there first: cmdop logout.`)
}

async function tell(flags: { json?: boolean }, shown: unknown): Promise<void> {
  if (flags.json === true) await writeJson(shown)
  else await say(`signed in; kept in ${configFile()}`)
}
