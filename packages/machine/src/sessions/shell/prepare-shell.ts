import { realpathSync } from 'node:fs'
import { basename } from 'node:path'
import { bashIntegration } from './bash.ts'
import { fishIntegration } from './fish.ts'
import type { Integration, IntegrationRequest } from './integration.ts'
import { posixIntegration } from './posix.ts'
import { zshIntegration } from './zsh.ts'

const integrations: Readonly<Record<string, (request: IntegrationRequest) => Integration>> = {
  bash: bashIntegration,
  zsh: zshIntegration,
  sh: posixIntegration,
  dash: posixIntegration,
  fish: fishIntegration,
}

/** How to start a shell. */
export interface PreparedShell {
  /** What follows the name of the shell. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Missing for a shell that we do not know: it works, but takes no command by `execute`. */
  readonly integration?: Integration
}

/**
 * How to start an interactive shell that reads the user's own start-up files, and then shows our marks with this nonce. The
 * files of its integration must be in the session's private folder by then.
 */
export function prepareShell(request: IntegrationRequest): PreparedShell {
  const integration = integrations[kindOf(request.shell)]?.(request)
  if (integration === undefined) return { args: [], env: request.env }
  return { args: integration.args, env: integration.env, integration }
}

/** By its name, or the name of what that is a link to: `/bin/sh` is started as `sh`, whatever it is. */
function kindOf(shell: string): string {
  const name = basename(shell)
  if (Object.hasOwn(integrations, name)) return name
  try {
    return basename(realpathSync(shell))
  } catch {
    return name
  }
}
