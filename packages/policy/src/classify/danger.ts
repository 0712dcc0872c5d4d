import { type SimpleCommand, valueOf } from '../parse/simple-command.ts'
import { programName } from '../unwrap/program-name.ts'
import { type Verdict, rankOf } from './command-class.ts'
import { type Danger, NO_DANGER, worseDanger } from './danger-level.ts'
import { commandDangers } from './danger-table.ts'
import { isBlockDevice, vitalPath } from './vital-paths.ts'

/** The harm that a simple command can do, given its class. */
export function dangerOf(command: SimpleCommand, verdict: Verdict): Danger {
  if (verdict.class === 'read') return NO_DANGER
  const name = programName(command)
  let danger = usual(command, verdict)
  for (const { kind, target } of command.redirections) {
    if (kind !== 'write' && kind !== 'append') continue
    const path = valueOf(target) ?? target.start
    if (isBlockDevice(path))
      danger = worseDanger(danger, { level: 'critical', reason: `It overwrites the device ${path}.` })
    if (vitalPath(path, command.cwd) === 'file' && kind === 'write')
      danger = worseDanger(danger, {
        level: 'critical',
        reason: `It empties ${path}, without which a machine does not work.`,
      })
    if (path === '/proc/sysrq-trigger')
      danger = { level: 'critical', reason: 'It stops or crashes the machine at once.' }
  }
  if (name === undefined) return danger
  if (
    rankOf(verdict.class) >= rankOf('unknown') &&
    /^(?:curl|wget|base64|xxd|openssl)$/.test(command.pipedFrom ?? '') &&
    isInterpreter(name)
  )
    danger = worseDanger(danger, {
      level: 'high',
      reason: `It runs whatever ${command.pipedFrom ?? ''} prints, unseen.`,
    })
  const base = name.slice(name.lastIndexOf('/') + 1)
  const special = Object.hasOwn(commandDangers, base) ? commandDangers[base]?.(command) : undefined
  return special === undefined ? danger : worseDanger(danger, special)
}

function usual({ words }: SimpleCommand, { class: name, reason }: Verdict): Danger {
  // A name that is not known may have anything in it, also what nobody may see.
  const what = words.length === 0 ? 'A redirection' : (valueOf(words[0]) ?? 'The command')
  const sentence = `${what} ${reason}.`
  return { level: name === 'delete' ? 'high' : 'medium', reason: sentence }
}

function isInterpreter(name: string): boolean {
  return /^(?:(?:ba|da|z|a|k|fi)?sh|python[\d.]*|perl|ruby|node|php|sudo|source|eval|xargs)$/.test(name)
}
