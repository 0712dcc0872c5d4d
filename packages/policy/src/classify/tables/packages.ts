import { valueOf } from '../../parse/simple-command.ts'
import { type CheckTable, alwaysChanges, alwaysDeletes, each, reads, readsExcept, tool } from '../checks.ts'
import { type Check, READS, changes, deletes, unclear } from '../command-class.ts'

const installs = alwaysChanges('changes what is installed')
const uninstalls = alwaysDeletes('removes what is installed')

/** A package manager by its commands. */
function manager(reading: string, changing: string, removing: string): Check {
  const guarded = readsExcept(
    'o option c config config-file C setopt installroot root R enableplugin',
    '',
    unclear('may run something, as its settings are others'),
  )
  return tool({
    commands: { ...each(reading, guarded), ...each(changing, installs), ...each(removing, uninstalls) },
  })
}

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
  ...each(
    'yum dnf',
    manager(
      'list info search repolist provides check-update repoquery updateinfo',
      'install update upgrade downgrade reinstall makecache group',
      'remove erase autoremove clean history',
    ),
  ),
  zypper: manager(
    'search se info if repos lr list-updates lu packages',
    'install in update up dup refresh',
    'remove rm clean',
  ),
  apk: manager('info list search policy', 'add update upgrade fix', 'del cache'),
  pacman: (words) =>
    /^-(?:Q[a-z]*|S[sil]+)$/.test(valueOf(words[0]) ?? '') ? READS : deletes('changes or removes what is installed'),
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
        ...each('list show freeze check', readsExcept('log python', '', unclear('may write a file, or run something'))),
        install: installs,
        uninstall: uninstalls,
      },
    }),
  ),
  npm: tool({
    commands: {
      ...each(
        'ls list outdated view info show why explain',
        readsExcept(
          'prefix userconfig globalconfig script-shell git editor viewer shell browser',
          '',
          unclear('may run something'),
        ),
      ),
      ...each('install i ci update add publish', installs),
      ...each('uninstall rm remove un prune', uninstalls),
    },
  }),
  gem: tool({ commands: { list: reads, install: installs, uninstall: uninstalls } }),
  brew: tool({
    commands: {
      ...each('list ls info search outdated deps leaves', reads),
      install: installs,
      ...each('uninstall rm remove cleanup autoremove', uninstalls),
    },
  }),
  ...each(
    'python python2 python3 perl ruby node deno bun php lua go java javac rustc cargo gcc cc g++ clang make cmake gradle ansible',
    version,
  ),
}

/** Other words for `--version`; the same word is something else for the next program. */
const VERSIONS = /^(?:python[23]? -V|(?:node|perl|php|ruby) -v|go version|javac? -version)$/

/** What an interpreter or a build runs is not seen; its version only reads. */
function version(...[words, command]: Parameters<Check>): ReturnType<Check> {
  const [only, ...others] = words.map(valueOf)
  const isVersion = only === '--version' || VERSIONS.test(`${valueOf(command.words[0]) ?? ''} ${only ?? ''}`)
  return isVersion && others.length === 0 ? READS : unclear('runs code that is not looked at')
}

function checkDpkg(...[words, command]: Parameters<Check>): ReturnType<Check> {
  const first = valueOf(words[0]) ?? ''
  if (/^(?:-r|-P|--remove|--purge)/.test(first)) return deletes('removes what is installed')
  const isReading =
    /^(?:-l|-L|-s|-S|-p|-c|-I|-W|--list|--listfiles|--status|--search|--get-selections|--print-avail|--print-architecture|--show|--contents|--info|--verify|-V|--audit|-C|-f|-f=.*|--version)$/
  if (!isReading.test(first)) return changes('changes what is installed')
  return readsExcept(
    'root instdir admindir i install r remove P purge unpack configure pre-invoke post-invoke',
    'f',
    changes('changes what is installed'),
  )(words.slice(1), command)
}

function checkRpm(...[words, command]: Parameters<Check>): ReturnType<Check> {
  const isQuery = /^-(?:q[a-zA-Z]*|V[a-z]*|-query|-verify)$/.test(valueOf(words[0]) ?? '')
  if (isQuery)
    return readsExcept(
      'erase pipe root define D eval E load rcfile macros specfile dbpath undefine predefine',
      '',
      unclear('may run something'),
    )(words, command)
  return /^-(?:e|-erase)/.test(valueOf(words[0]) ?? '')
    ? deletes('removes what is installed')
    : changes('changes what is installed')
}
