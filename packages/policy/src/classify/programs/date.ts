import { valueOf } from '../../parse/simple-command.ts'
import { type Check, READS, changes } from '../command-class.ts'
import { optionsOf, readAll } from '../checks.ts'

const options = optionsOf(
  '-uRjn -I? -dfrv= --utc --universal --rfc-email --iso-8601 --rfc-3339 --date= --file= --reference= --debug',
)

/** `date` with anything but a format sets the clock. */
export const checkDate: Check = (words) => {
  const given = readAll(words, options)
  if ('class' in given) return changes('may set the clock')
  const isFormat = given.operands.every((word) => (valueOf(word) ?? word.start).startsWith('+'))
  // For BSD `-f` is the format of a time that comes next, and `-r` a time.
  return isFormat ? READS : changes('may set the clock')
}
