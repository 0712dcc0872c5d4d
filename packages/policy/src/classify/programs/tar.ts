import { type Word, mayBeOption, valueOf } from '../../parse/simple-command.ts'
import { type Verdict, READS, changes, deletes, unclear } from '../command-class.ts'

/** Long options with which listing an archive stays listing. */
const LISTING =
  /^--(?:list|verbose|gzip|bzip2|xz|zstd|file=.*|full-time|wildcards|exclude=.*|strip-components=\d+|directory=.*|numeric-owner|auto-compress|no-recursion)$/

/** `tar` reads when it lists; it can run programs by many options, so that others are not known. */
export function checkTar(words: readonly Word[]): Verdict {
  const [first, ...others] = words
  const mode = valueOf(first)
  if (mode === undefined) return unclear('is not known before it runs')
  const bundle = mode.startsWith('--') ? mode.slice(2, 3) : mode.replace(/^-/, '')
  if (words.some((word) => valueOf(word)?.startsWith('--delete') === true)) return deletes('removes from an archive')
  const options = others.filter(mayBeOption)
  if (options.some((word) => /^(?:-[IF]|--(?!list)(?:to-c|ch|use|i|ne|rsh|rm))/.test(valueOf(word) ?? '-I')))
    return unclear('may run something')
  if (/^[a-zA-Z]*[crAu]/.test(bundle) && !mode.startsWith('--')) return deletes('writes over an archive')
  if (/x/.test(bundle) || mode === '--extract' || mode === '--get') return deletes('may write over files')
  const isList = mode === '--list' || (!mode.startsWith('--') && /^[tvzjJfka]*t[tvzjJfka]*$/.test(bundle))
  if (!isList) return changes('writes archives or files')
  const isKnown = options.every((word) => /^-[vzjJfC]+$/.test(valueOf(word) ?? '') || LISTING.test(valueOf(word) ?? ''))
  // A colon in the name of an archive is another machine.
  const isHere = others.every((word) => !word.splits && !(valueOf(word) ?? word.start).includes(':'))
  return isKnown && isHere ? READS : unclear('may run something')
}
