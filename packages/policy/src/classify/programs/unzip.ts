import { valueOf } from '../../parse/simple-command.ts'
import { type Check, READS, deletes } from '../command-class.ts'

/** `unzip` takes an option back where a dash comes once more: with more than one word of options nobody knows. */
export const checkUnzip: Check = ([mode, ...others]) => {
  const isListing = /^-[12qvCaMT]*[lvtpcZ][lvtpcqvCaMT]*$/.test(valueOf(mode) ?? '')
  const isPlain = others.every(({ values, start, splits }) => !splits && /^[^-]/.test(values?.[0] ?? start))
  return isListing && isPlain ? READS : deletes('may write over files')
}
