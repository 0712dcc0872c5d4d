import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Restrictions } from '@cmdop/protocol'

/** What commands start from, and where. */
export interface UserSettings {
  readonly environment: Readonly<Record<string, string>>
  readonly home: string
}

const run = promisify(execFile)

/** The daemon's own settings, and where commands run as another user, that user's name and home in them. */
export async function settingsOf({ runAs }: Restrictions, own: UserSettings): Promise<UserSettings> {
  if (runAs === undefined) return own
  // A user that the machine does not have is refused when the sandbox is opened.
  const line = await run('getent', ['passwd', runAs]).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  )
  const [, , , , , home = '', shell = ''] = line.split(':')
  if (!home.startsWith('/')) return own
  return { environment: { ...own.environment, HOME: home, USER: runAs, LOGNAME: runAs, SHELL: shell }, home }
}
