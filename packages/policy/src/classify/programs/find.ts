import { type Word, mayBeOption, valueOf } from '../../parse/simple-command.ts'
import { findOwnWords } from '../../unwrap/find.ts'
import { type Verdict, READS, deletes, unclear } from '../command-class.ts'

/** `find`, without the commands that it runs, which are looked at by themselves. */
export function checkFind(words: readonly Word[]): Verdict {
  for (const word of findOwnWords(words)) {
    const text = valueOf(word)
    if (text === undefined && (word.splits || mayBeOption(word)))
      return unclear(`is not known: ${word.text} may be an action`)
    if (text === '-delete') return deletes('deletes what it finds')
    if (text !== undefined && /^-(?:fprint|fls|fprintf|fprint0)/.test(text))
      return deletes('empties the file that it writes to')
    if (text !== undefined && /^-(?:exec|ok)/.test(text)) return unclear('runs a command that is not seen')
  }
  return READS
}
