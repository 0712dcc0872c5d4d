import { type Redirection, valueOf } from '../parse/simple-command.ts'
import { type Verdict, READS, changes, deletes, unclear } from './command-class.ts'

/** Where output goes that is thrown away or shown. */
const NOWHERE = /^\/dev\/(?:null|zero|full|stdout|stderr|stdin|tty|fd\/\d+)$/

/**
 * What a redirection does. `>` empties the file before anything is written, and whether there is one cannot be known here: it deletes.
 */
export function checkRedirection({ kind, target }: Redirection): Verdict {
  if (kind === 'input') return READS
  const path = valueOf(target)
  if (path !== undefined && NOWHERE.test(path)) return READS
  // What is in a substitution is a command of its own.
  if (path === undefined && target.start.startsWith('/dev/fd/')) return READS
  if ((path ?? target.start).startsWith('/dev/tcp') || (path ?? target.start).startsWith('/dev/udp'))
    return unclear('opens a connection')
  if (kind === 'read') return READS
  if (kind === 'append') return changes(`adds to ${target.text}`)
  return deletes(`empties ${target.text}, if it is there`)
}
