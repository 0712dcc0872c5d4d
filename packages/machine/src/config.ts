import { homedir } from 'node:os'
import { CmdopError, type Labels, parseLabels } from '@cmdop/protocol'
import { commandEnvironment } from './environment.ts'
import type { ResidentSettings } from './resident/resident.ts'
import { parseTunnelRules, type TunnelRules } from './tunnels/refused-addresses.ts'

export interface ProcessSettings {
  readonly environment: Record<string, string>
  readonly home: string
  readonly labels: Labels
  readonly tunnelRules: TunnelRules
  readonly operatorSettings: ResidentSettings
  /** Where the files of skills are, where that is set. */
  readonly skillsDir: string | undefined
}

/** What the daemon takes from the process it runs in: the one place that reads it. Throws `config`. */
export function readProcessSettings(): ProcessSettings {
  const { env } = process
  return {
    environment: commandEnvironment(env),
    home: homedir(),
    labels: parseLabels([env['CMDOP_LABELS'] ?? '']),
    skillsDir: env['CMDOP_SKILLS_DIR'] || undefined,
    tunnelRules: parseTunnelRules(env['CMDOP_TUNNELS'], env['CMDOP_TUNNEL_DENY']),
    operatorSettings: { env, confirm: confirmMode(env['CMDOP_OPERATOR_CONFIRM']) },
  }
}

function confirmMode(value: string | undefined): ResidentSettings['confirm'] {
  if (value === undefined || value === '') return undefined
  if (value === 'suspicious' || value === 'changes') return value
  throw new CmdopError('config', `Expected CMDOP_OPERATOR_CONFIRM to be suspicious or changes, got "${value}".`)
}
