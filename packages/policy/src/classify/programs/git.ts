import { valueOf } from '../../parse/simple-command.ts'
import { hasOption, hasUnknown, optionsOf, readAll } from '../checks.ts'
import { type Check, READS, changes, deletes } from '../command-class.ts'

/** What `git branch` and `git tag` are with which options. */
interface Names {
  /** Options with which they show names. */
  readonly shown: string
  /** Those of them with which they do so for the names that are given. */
  readonly listing: string
  readonly deleting: string
}

/** Without an operand, or with options that list, these list. */
export function lists({ shown, listing, deleting }: Names): Check {
  const options = optionsOf(shown)
  return (words) => {
    if (hasOption(words, deleting)) return deletes('removes or replaces names')
    const given = readAll(words, options)
    if ('class' in given) return hasUnknown(words) ? given : changes('changes names')
    const isListing = listing.split(' ').some((name) => given.options.has(name))
    return isListing || given.operands.length === 0 ? READS : changes('makes a name')
  }
}

const ACTIONS = ['get', 'get-all', 'get-regexp', 'get-urlmatch', 'list', 'l', 'get-color', 'get-colorbool']

const config = optionsOf(
  `-lz -f= --file= --blob= --type= --default= --value= --url= --global --system --local --worktree --show-origin --show-scope --null --name-only --includes --no-includes --bool --int --bool-or-int --path --expiry-date --no-type --all --regexp --fixed-value --show-names ${ACTIONS.slice(
    0,
    5,
  )
    .map((name) => `--${name}`)
    .join(' ')} --get-color --get-colorbool`,
)

/** `git config --get`, `git config list` and `git config user.name` read; all that is not clearly one of them sets something. */
export const checkGitConfig: Check = (words) => {
  const given = readAll(words, config)
  if ('class' in given) return given.class === 'unknown' ? { ...given, reason: 'may change settings' } : given
  const { options, operands } = given
  const first = valueOf(words[0])
  // A word for what to do stands first, or it is the name of a setting.
  if (first === 'list' || first === 'get') return READS
  if (ACTIONS.some((name) => options.has(name))) return READS
  const isOneName = operands.length === 1 && /^[\w-]+\..*[\w-]$/.test(valueOf(operands[0]) ?? '')
  return isOneName ? READS : changes('changes settings')
}
