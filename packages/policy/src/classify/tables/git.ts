import { type Word, valueOf } from '../../parse/simple-command.ts'
import { namesOf, optionTable } from '../../unwrap/options.ts'
import {
  type CheckTable,
  alwaysChanges,
  alwaysDeletes,
  each,
  findException,
  reads,
  readsExcept,
  readsOnlyWith,
  tool,
} from '../checks.ts'
import { type Check, READS, changes, deletes, unclear } from '../command-class.ts'

const writes = unclear('may run something or write a file')

const showing = readsExcept('output ext-diff textconv O open-files-in-pager filters', '', writes)

/** What goes before the command. Others, such as `-c` and `--exec-path`, can say what git runs. */
const options = optionTable('P no-pager no-optional-locks no-replace-objects literal-pathspecs version help v h', 'C')

/** git, by what a command does to what is there. */
export const gitTable: CheckTable = {
  git: tool({
    options,
    commands: {
      ...each(
        'status log show diff blame annotate rev-parse describe shortlog ls-files ls-tree cat-file rev-list name-rev merge-base for-each-ref show-ref reflog-show cherry count-objects whatchanged range-diff diff-tree diff-index diff-files check-ignore check-attr var version grep verify-commit verify-tag get-tar-commit-id',
        showing,
      ),
      'ls-remote': checkRemote,
      branch: lists(
        'd D m M c C f delete move copy force edit-description u set-upstream-to unset-upstream t track',
        'list show-current merged no-merged contains no-contains points-at l',
        'd D m M delete move',
      ),
      tag: lists(
        'd a s u f m F delete annotate sign force message file',
        'l list n contains no-contains merged no-merged points-at',
        'd f delete force',
      ),
      remote: tool({
        options: optionTable('v verbose'),
        commands: {
          ...each('show get-url', reads),
          ...each(
            'add set-url rename set-head set-branches update',
            alwaysChanges('changes where a repository comes from'),
          ),
          ...each('remove rm prune', alwaysDeletes('removes remote branches')),
        },
      }),
      stash: tool({
        commands: {
          ...each('list show', showing),
          ...each('drop clear pop', alwaysDeletes('removes what was stashed')),
          ...each('push save apply branch create store', alwaysChanges('changes the working tree')),
        },
        alone: alwaysChanges('changes the working tree'),
      }),
      config: readsRequiring(
        /^(?:--get|--get-all|--get-regexp|-l|--list)$/,
        /^(?:list|get)$/,
        readsExcept('add unset unset-all replace-all rename-section remove-section e edit', 'f', writes),
      ),
      reflog: tool({
        commands: {
          show: showing,
          exists: reads,
          ...each('expire delete', alwaysDeletes('removes the way back to commits')),
        },
      }),
      worktree: tool({
        commands: {
          list: reads,
          ...each('remove prune', alwaysDeletes('removes working trees')),
          ...each('add move lock unlock repair', alwaysChanges('changes working trees')),
        },
      }),
      submodule: tool({ commands: { status: reads, summary: showing } }),
      bisect: tool({ commands: { log: reads } }),
      ...each(
        'add commit merge fetch pull clone init cherry-pick revert mv apply am notes',
        alwaysChanges('changes a repository'),
      ),
      ...each(
        'clean rm restore prune gc filter-branch filter-repo update-ref replace',
        alwaysDeletes('removes what may be nowhere else'),
      ),
      reset: (words) =>
        words.some(({ values, start }) => /^--(?:h|merge|keep)/.test(values?.[0] ?? start))
          ? deletes('throws away changes')
          : changes('changes what is staged'),
      checkout: (words) =>
        /^-(?:b|-orphan)$/.test(valueOf(words[0]) ?? '')
          ? changes('makes a branch')
          : deletes('may throw away changes'),
      switch: (words) =>
        hasOption(words, 'f force discard-changes C')
          ? deletes('throws away changes')
          : changes('changes the working tree'),
      rebase: alwaysChanges('rewrites commits'),
      push: checkPush,
    },
  }),
}

/** Without an operand, or with options that list, these list. */
function lists(except: string, listing: string, deleting: string): Check {
  const listTable = namesOf(listing)
  const plain = readsExcept(except, '', changes('changes names'))
  return (words, command) => {
    if (hasOption(words, deleting)) return deletes('removes or replaces names')
    const verdict = plain(words, command)
    if (verdict.class !== 'read' || words.every(({ values, start }) => (values?.[0] ?? start).startsWith('-')))
      return verdict
    const isListing = words.some(
      (word) =>
        listTable.has((valueOf(word) ?? '').replace(/^--?/, '').split('=', 1)[0] ?? '') &&
        valueOf(word)?.startsWith('-') === true,
    )
    return isListing ? READS : changes('makes a name')
  }
}

function hasOption(words: readonly Word[], names: string): boolean {
  const found = findException(words, { except: namesOf(names), values: new Set() })
  return found !== undefined
}

function readsRequiring(option: RegExp, action: RegExp, check: Check): Check {
  return (words, command) =>
    words.some((word) => option.test(valueOf(word) ?? '')) || action.test(valueOf(words[0]) ?? '')
      ? check(words, command)
      : changes('changes settings')
}

/** `ext::` runs a command, and so does `--upload-pack`. */
function checkRemote(...[words, command]: Parameters<Check>): ReturnType<Check> {
  const isPlain = words.every((word) => valueOf(word)?.includes('::') === false)
  return isPlain
    ? readsOnlyWith('h t q heads tags refs quiet exit-code get-url symref branches')(words, command)
    : writes
}

function checkPush(...[words]: Parameters<Check>): ReturnType<Check> {
  const texts = words.map(valueOf)
  if (texts.includes(undefined)) return unclear('is not known before it runs')
  const removes = hasOption(words, 'f d force force-with-lease force-if-includes delete mirror prune')
  const replaces = texts.some((text) => /^[+:]/.test(text ?? ''))
  if (hasOption(words, 'receive-pack exec')) return unclear('may run something')
  return removes || replaces ? deletes('removes or replaces what others have') : changes('sends commits')
}
