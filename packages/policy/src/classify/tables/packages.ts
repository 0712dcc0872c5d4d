import { valueOf } from '../../parse/simple-command.ts'
import {
  type CheckTable,
  type TableCheck,
  alwaysChanges,
  alwaysDeletes,
  each,
  readsOnly,
  readsWith,
  tool,
} from '../checks.ts'
import { type Check, READS, changes, deletes, unclear } from '../command-class.ts'

const installs = alwaysChanges('changes what is installed')
const uninstalls = alwaysDeletes('removes what is installed')

/** Options of package managers with which a list stays a list. */
const shown =
  '-aqivns --all --all-versions --installed --upgradable --upgradeable --names-only --full --no-all-versions --recurse --verbose --quiet --available --updates --available-updates --extras --duplicates --showduplicates --names --security --obsoletes --assumeno --enabled --disabled --requires --provides --whatprovides= --whatrequires= --qf= --queryformat= --depth= --columns'

/** A package manager by its commands. */
function manager(reading: string, changing: string, removing: string): TableCheck {
  return tool({
    commands: { ...each(reading, readsWith(shown)), ...each(changing, installs), ...each(removing, uninstalls) },
  })
}

/** What go has that runs nothing of what is in a directory; cargo and yarn run what a directory says, even to list. */
const goRead = tool({ commands: { version: readsOnlyNothing, env: readsOnlyNames } })

const rpmCommands = {
  ...each('list info search repolist provides check-update repoquery updateinfo', readsWith(shown)),
  ...each('install update upgrade downgrade reinstall makecache', installs),
  ...each('remove erase autoremove clean history', uninstalls),
}

const dnf = tool({
  options: '-qyC --quiet --assumeyes --cacheonly',
  commands: {
    ...rpmCommands,
    ...each(
      'group module groups',
      tool({
        commands: {
          ...each('list info summary', readsWith(shown)),
          ...each('install upgrade enable mark', installs),
          ...each('remove reset disable switch-to', uninstalls),
        },
      }),
    ),
  },
})

/** Package managers, and the versions of interpreters. */
export const packageTable: CheckTable = {
  apt: manager(
    'list show search policy depends rdepends',
    'update install upgrade full-upgrade reinstall edit-sources build-dep',
    'remove purge autoremove autopurge clean autoclean dist-clean',
  ),
  'apt-get': manager(
    '',
    'update install upgrade dist-upgrade source download build-dep',
    'remove purge autoremove clean autoclean',
  ),
  'apt-cache': manager('show search policy depends rdepends madison stats pkgnames showpkg', '', ''),
  'apt-mark': manager('showhold showmanual showauto', 'hold unhold manual auto', ''),
  dpkg: checkDpkg,
  'dpkg-query': checkDpkg,
  rpm: checkRpm,
  ...each('yum dnf', dnf),
  zypper: manager(
    'search se info if repos lr list-updates lu packages',
    'install in update up dup refresh',
    'remove rm clean',
  ),
  apk: manager('info list search policy', 'add update upgrade fix', 'del cache'),
  pacman: ([mode, ...others], command) => {
    const isQuery = /^-(?:Q[cdegiklmnopqstu]*|S[silgq]*[sil][silgq]*|F[xlq]*)$/.test(valueOf(mode) ?? '')
    // A letter of another word counts as one of the first.
    const isPlain = readsWith('-q --quiet')(others, command).class === 'read'
    return isQuery && isPlain ? READS : deletes('changes or removes what is installed')
  },
  snap: manager(
    'list info find version services changes',
    'install refresh enable disable start stop restart',
    'remove',
  ),
  flatpak: manager('list info search', 'install update', 'uninstall remove'),
  ...each(
    'pip pip3',
    tool({
      commands: {
        ...each(
          'list show freeze check',
          readsWith(
            '-olfuqv --outdated --uptodate --user --local --editable --not-required --format= --files --verbose --all --quiet --exclude=',
          ),
        ),
        install: installs,
        uninstall: uninstalls,
      },
    }),
  ),
  npm: tool({
    commands: {
      ...each(
        'ls list outdated view info show why explain',
        readsWith('-gal --all --global --json --long --parseable --depth --omit --production --dev --prod --workspace'),
      ),
      ...each('install i ci update add publish', installs),
      ...each('uninstall rm remove un prune', uninstalls),
    },
  }),
  gem: tool({
    commands: { list: readsWith('-lra --local --all --versions'), install: installs, uninstall: uninstalls },
  }),
  brew: tool({
    commands: {
      ...each(
        'list ls info search outdated deps leaves',
        readsWith('-1lrvt --versions --formula --cask --tree --json --installed --pinned'),
      ),
      install: installs,
      ...each('uninstall rm remove cleanup autoremove', uninstalls),
    },
  }),
  ...each(
    'python python2 python3 perl ruby node deno bun php lua java javac rustc cargo gcc cc g++ clang make cmake gradle ansible',
    version,
  ),
  go: goRead,
}

/** Other words for `--version`; the same word is something else for the next program. */
const VERSIONS = /^(?:python[23]? -V|(?:node|perl|php|ruby) -v|javac? -version)$/

/** `go env NAME`: an option of it writes settings. */
function readsOnlyNames(...[words]: Parameters<Check>): ReturnType<Check> {
  return words.every((word) => /^(?:[A-Z0-9_]+|-json)$/.test(valueOf(word) ?? ''))
    ? READS
    : unclear('may set what it names')
}

function readsOnlyNothing(...[words]: Parameters<Check>): ReturnType<Check> {
  return words.length === 0 ? READS : unclear('is not known with these words')
}

/** What an interpreter or a build runs is not seen; its version only reads. */
function version(...[words, command]: Parameters<Check>): ReturnType<Check> {
  const [only, ...others] = words.map(valueOf)
  const isVersion = only === '--version' || VERSIONS.test(`${valueOf(command.words[0]) ?? ''} ${only ?? ''}`)
  return isVersion && others.length === 0 ? READS : unclear('runs code that is not looked at')
}

function checkDpkg(...[words, command]: Parameters<Check>): ReturnType<Check> {
  const first = valueOf(words[0]) ?? ''
  if (/^(?:-r|-P|--remove|--purge)/.test(first)) return deletes('removes what is installed')
  if (/^-(?:I|c|f|-info|-contents|-field)/.test(first)) return checkDeb(words, command)
  return readsPackages(words, command)
}

const readsPackages = readsOnly(
  /^(?:-[lLsSpWVC]|--(?:list|listfiles|status|search|get-selections|print-avail|print-architecture|show|verify|audit|version|no-pager)|-f=.*|--showformat=.*|[^-].*)$/,
  changes('changes what is installed'),
)
const checkDeb = readsOnly(/^(?:-[Icf]|--(?:info|contents|field)|[^-].*)$/, changes('changes what is installed'))

function checkRpm(...[words, command]: Parameters<Check>): ReturnType<Check> {
  const first = valueOf(words[0]) ?? ''
  if (/^-(?:e|-erase)/.test(first)) return deletes('removes what is installed')
  // To verify a package that is not installed runs what is in it.
  if (/^-(?:V|-verify)/.test(first)) return verifies(words, command)
  return /^-(?:q|-query)/.test(first) ? queries(words, command) : changes('changes what is installed')
}

const queries = readsWith(
  '-qailpfRcdLgv --query --all --info --list --file --package --last --changelog --requires --provides --scripts --whatprovides --whatrequires --configfiles --docfiles --qf= --queryformat= --installed --state --nodeps --nofiles --nodigest --nosignature --group',
  { needs: 'q query' },
)

const verifies = readsWith('-Vafv --verify --all --file --nodeps --nofiles --nodigest --nosignature --noscripts')
