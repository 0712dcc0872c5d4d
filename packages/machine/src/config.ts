import { homedir } from 'node:os'
import { commandEnvironment } from './environment.ts'

/** What the daemon takes from the process it runs in: the one place that reads it. */
export function readProcessSettings(): { environment: Record<string, string>; home: string } {
  return { environment: commandEnvironment(process.env), home: homedir() }
}
