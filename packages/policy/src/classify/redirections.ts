import { type Redirection, valueOf } from '../parse/simple-command.ts'
import { type Verdict, READS, changes, deletes, unclear } from './command-class.ts'

/** Where output goes that is thrown away or shown. What is behind `/dev/fd/3` and `/dev/stdin` may be a file, which is emptied. */
const NOWHERE = /^\/dev\/(?:null|zero|full|stdout|stderr|tty)$/

/**
 * What a redirection does. `>` empties the file before anything is written, and whether there is one cannot be known here: it deletes.
 */
export function checkRedirection({ kind, target, isOutput }: Redirection): Verdict {
  if (kind === 'input') return READS
  const path = valueOf(target)
  if (path !== undefined && NOWHERE.test(path)) return READS
  // What is in a substitution is a command of its own.
  if (target.isProcess === true) return READS
  if ((path ?? target.start).startsWith('/dev/tcp') || (path ?? target.start).startsWith('/dev/udp'))
    return unclear('opens a connection')
  if (kind === 'read') return isOutput === true ? unclear('opens a file where its output goes') : READS
  if (kind === 'append') return changes(`adds to ${path ?? 'a file'}`)
  return deletes(`empties ${path ?? 'a file'}, if it is there`)
}
