import { valueOf } from '../../parse/simple-command.ts'
import {
  type CheckTable,
  alwaysChanges,
  alwaysDeletes,
  each,
  hasOption,
  reads,
  readsWith,
  tool,
  withOption,
} from '../checks.ts'
import { type Check, changes, deletes, unclear } from '../command-class.ts'
import { checkGitConfig, lists } from '../programs/git.ts'

const gone = deletes('removes what may be nowhere else')
const repository = alwaysChanges('changes a repository')

const format =
  '--format --pretty --oneline --abbrev --abbrev-commit --no-abbrev-commit --color --no-color --decorate --no-decorate --date'

const differences =
  '-pusabwzRrtmcgiEFPq# -UMCBX? -SG= --patch --no-patch --stat --numstat --shortstat --dirstat --summary --name-only --name-status --raw --cached --staged --merge-base --unified --minimal --patience --histogram --diff-algorithm --word-diff --color-words --color-moved --find-renames --find-copies --no-renames --diff-filter --ignore-all-space --ignore-space-change --ignore-space-at-eol --ignore-blank-lines --function-context --exit-code --quiet --check --full-index --binary --relative --text --no-prefix --submodule --pickaxe-all --pickaxe-regex --no-ext-diff --no-textconv --compact-summary --stat-width --ignore-submodules --cc'

const commits =
  '-nL= --max-count= --since= --until= --after= --before= --author= --committer= --grep= --skip= --all --branches --tags --remotes --graph --reverse --first-parent --merges --no-merges --follow --topo-order --date-order --author-date-order --left-right --cherry --cherry-pick --cherry-mark --boundary --parents --children --full-history --simplify-merges --walk-reflogs --no-walk --invert-grep --all-match --regexp-ignore-case --extended-regexp --fixed-strings --perl-regexp --not --source --notes --no-notes --root --dense --sparse --ancestry-path --simplify-by-decoration --use-mailmap --show-pulls --no-patch --no-expand-tabs --expand-tabs --relative-date --count --objects --left-only --right-only'

const log = readsWith(`${format} ${differences} ${commits}`)
const difference = readsWith(`${format} ${differences}`)
const names = '--format= --sort= --count= --points-at= --merged --no-merged --contains --no-contains'

/** Commands of git that show something, each with its own options: others write a file, or run a program. */
const showing: CheckTable = {
  status: readsWith(
    '-sbvz -u? --short --branch --show-stash --porcelain --long --verbose --untracked-files --ignore-submodules --ignored --column --no-column --ahead-behind --no-ahead-behind --renames --no-renames --find-renames',
  ),
  ...each('log show whatchanged', log),
  'rev-list': log,
  ...each('diff diff-tree diff-index diff-files', difference),
  'range-diff': readsWith('-s --no-dual-color --creation-factor --no-color --color --no-patch --stat'),
  shortlog: readsWith(
    '-sne --summary --numbered --email --all --no-merges --merges --since --until --author --group --format',
  ),
  ...each(
    'blame annotate',
    readsWith(
      '-blretfnsepcwMC -L= --date --porcelain --line-porcelain --show-name --show-number --show-email --root --since --abbrev --color-lines --color-by-age --first-parent',
    ),
  ),
  'rev-parse': readsWith(
    '-q --short --verify --quiet --abbrev-ref --symbolic --symbolic-full-name --all --branches --tags --remotes --show-toplevel --git-dir --absolute-git-dir --git-common-dir --git-path= --is-inside-work-tree --is-inside-git-dir --is-bare-repository --is-shallow-repository --show-prefix --show-cdup --show-superproject-working-tree --show-object-format --since --until --not --local-env-vars',
  ),
  describe: readsWith(
    '--all --tags --contains --abbrev --candidates --exact-match --long --match --exclude --always --first-parent --dirty --broken',
  ),
  'ls-files': readsWith(
    '-cdmoiskutvfz -xX= --cached --deleted --modified --others --ignored --stage --killed --unmerged --exclude= --exclude-standard --error-unmatch --full-name --eol --directory --deduplicate --abbrev --recurse-submodules --format',
  ),
  'ls-tree': readsWith(
    '-drtlz --name-only --name-status --full-name --full-tree --object-only --abbrev --long --format',
  ),
  'cat-file': readsWith('-tspe --batch --batch-check --batch-all-objects --unordered --allow-unknown-type --buffer'),
  'name-rev': readsWith('--tags --refs --all --name-only --always --no-undefined'),
  'merge-base': readsWith('-a --all --is-ancestor --octopus --independent --fork-point'),
  'for-each-ref': readsWith(`--shell --perl --python --tcl --ignore-case --omit-empty --color ${names}`),
  'show-ref': readsWith(
    '-dsq --head --heads --branches --tags --dereference --hash --verify --quiet --abbrev --exists',
  ),
  'show-branch': readsWith(
    '-ar --all --remotes --current --topo-order --date-order --sparse --more --list --merge-base --independent --no-name --sha1-name --topics --color --no-color --reflog',
  ),
  cherry: readsWith('-v --abbrev'),
  'count-objects': readsWith('-vH --verbose --human-readable'),
  'check-ignore': readsWith('-qvnz --quiet --verbose --non-matching --stdin --no-index'),
  'check-attr': readsWith('-az --all --stdin --cached'),
  var: readsWith('-l'),
  version: readsWith('--build-options'),
  grep: readsWith(
    '-nilLcovwaEFPGIhHqWp# -efABCm= --cached --untracked --no-index --line-number --ignore-case --files-with-matches --name-only --count --heading --break --show-function --function-context --and --or --not --all-match --color --no-color --word-regexp --fixed-strings --perl-regexp --extended-regexp --max-depth= --threads= --context= --recurse-submodules',
  ),
  ...each('verify-commit verify-tag', readsWith('-v --verbose --raw')),
  'get-tar-commit-id': readsWith(''),
  // `--lost-found` writes what it finds.
  fsck: readsWith(
    '-v --full --strict --unreachable --dangling --no-dangling --root --tags --cache --no-reflogs --no-full --connectivity-only --verbose --progress --no-progress --name-objects --references --no-references',
  ),
}

const remoteOperands = { like: /^(?!.*::)[\w@.:/~+-]+$/ }

const remote = tool({
  alone: reads,
  options: '-v --verbose',
  commands: {
    show: readsWith('-n', remoteOperands),
    'get-url': readsWith('--push --all', remoteOperands),
    ...each('add set-url rename set-head set-branches', alwaysChanges('changes where a repository comes from')),
    update: withOption('prune p', deletes('removes remote branches'), alwaysChanges('fetches')),
    ...each('remove rm prune', alwaysDeletes('removes remote branches')),
  },
})

const stash = tool({
  commands: {
    ...each('list show', log),
    ...each('drop clear pop', alwaysDeletes('removes what was stashed')),
    ...each('push save apply branch create store', alwaysChanges('changes the working tree')),
  },
  alone: alwaysChanges('changes the working tree'),
})

/** Commands that change a repository, unless an option of theirs throws something away. */
const changing: CheckTable = {
  ...each('add commit clone init mv apply', repository),
  ...each('merge cherry-pick revert am', withOption('abort quit skip', gone, repository)),
  rebase: withOption('abort skip quit', gone, alwaysChanges('rewrites commits')),
  ...each(
    'fetch pull',
    withOption('p P f prune prune-tags force', deletes('removes or replaces branches that were fetched'), repository),
  ),
  notes: tool({
    options: '--ref=',
    commands: {
      ...each('list show get-ref', readsWith('')),
      ...each('add append copy edit merge', withOption('f force abort', gone, repository)),
      ...each('remove prune', alwaysDeletes('removes notes')),
    },
  }),
  ...each(
    'clean rm restore prune gc filter-branch filter-repo update-ref replace',
    alwaysDeletes('removes what may be nowhere else'),
  ),
  reset: (words) =>
    words.some(({ values, start }) => /^--(?:h|merge|keep)/.test(values?.[0] ?? start))
      ? deletes('throws away changes')
      : changes('changes what is staged'),
  checkout: (words) =>
    /^-(?:b|-orphan)$/.test(valueOf(words[0]) ?? '') ? changes('makes a branch') : deletes('may throw away changes'),
  switch: withOption(
    'f force discard-changes C',
    deletes('throws away changes'),
    alwaysChanges('changes the working tree'),
  ),
  push: checkPush,
}

/** git, by what a command does to what is there. */
export const gitTable: CheckTable = {
  git: tool({
    alone: reads,
    // Others before the command, such as `-c` and `--exec-path`, can say what git runs.
    options: '-Pvh --no-pager --no-optional-locks --no-replace-objects --literal-pathspecs --version --help -C=',
    commands: {
      ...showing,
      ...changing,
      'ls-remote': readsWith(
        '-htq --heads --tags --refs --quiet --exit-code --get-url --symref --branches',
        remoteOperands,
      ),
      branch: lists({
        shown: `-arviq -l --all --remotes --verbose --ignore-case --omit-empty --color --no-color --column --no-column --abbrev --no-abbrev --show-current --list ${names}`,
        listing: 'list l show-current merged no-merged contains no-contains points-at',
        deleting: 'd D f M C delete force',
      }),
      tag: lists({
        shown: `-li -n? --list --ignore-case --column --no-column --color --omit-empty ${names}`,
        listing: 'list l n contains no-contains merged no-merged points-at',
        deleting: 'd f delete force',
      }),
      remote,
      stash,
      config: checkGitConfig,
      reflog: tool({
        alone: log,
        commands: {
          show: log,
          exists: readsWith(''),
          ...each('expire delete', alwaysDeletes('removes the way back to commits')),
        },
      }),
      worktree: tool({
        commands: {
          list: readsWith('-vz --porcelain --verbose'),
          ...each('remove prune', alwaysDeletes('removes working trees')),
          ...each('add move lock unlock repair', alwaysChanges('changes working trees')),
        },
      }),
      submodule: tool({
        commands: { status: readsWith('--cached --recursive'), summary: readsWith('--cached --files') },
      }),
      bisect: tool({ commands: { log: readsWith('') } }),
    },
  }),
}

function checkPush(...[words]: Parameters<Check>): ReturnType<Check> {
  const texts = words.map(valueOf)
  if (texts.includes(undefined)) return unclear('is not known before it runs')
  const removes = hasOption(words, 'f d force force-with-lease force-if-includes delete mirror prune')
  const replaces = texts.some((text) => /^[+:]/.test(text ?? ''))
  if (hasOption(words, 'receive-pack exec')) return unclear('may run something')
  return removes || replaces ? deletes('removes or replaces what others have') : changes('sends commits')
}
