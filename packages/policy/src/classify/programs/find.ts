import { type Word, mayBeOption, valueOf } from '../../parse/simple-command.ts'
import { namesOf } from '../../unwrap/options.ts'
import { findOwnWords } from '../../unwrap/find.ts'
import { type Verdict, READS, deletes, unclear } from '../command-class.ts'

const FLAGS = namesOf(
  'H L P E X s x d depth xdev mount empty prune print print0 ls not o or a and true false follow nouser nogroup readable writable executable quit daystart noleaf ignore_readdir_race noignore_readdir_race nowarn warn',
)
const VALUES = namesOf(
  'name iname path ipath wholename iwholename regex iregex regextype type xtype size mtime mmin atime amin ctime cmin newer anewer cnewer perm user uid group gid maxdepth mindepth printf links inum samefile fstype lname ilname used context flags f',
)

/** `find`, without the commands that it runs, which are looked at by themselves. */
export function checkFind(words: readonly Word[]): Verdict {
  const own = findOwnWords(words)
  for (let index = 0; index < own.length; index += 1) {
    const word = own[index] as Word
    const text = valueOf(word)
    if (text === undefined && (word.splits || mayBeOption(word)))
      return unclear('is not known: one of its words may be an action')
    if (text === '-delete') return deletes('deletes what it finds')
    if (text !== undefined && /^-(?:fprint|fls|fprintf|fprint0)/.test(text))
      return deletes('empties the file that it writes to')
    if (text !== undefined && /^-(?:exec|ok)/.test(text)) return unclear('runs a command that is not seen')
    if (text?.startsWith('-') !== true || text === '-' || FLAGS.has(text.slice(1))) continue
    if (!VALUES.has(text.slice(1)) && !/^-newer[aBcm][aBcmt]$/.test(text))
      return unclear('is not known with these words: it has a test that is not known')
    index += 1
    if (own[index]?.splits === true) return unclear('is not known: one of its words may be several')
  }
  return READS
}
