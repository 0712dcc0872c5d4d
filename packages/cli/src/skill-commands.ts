import { type Command, Option } from 'commander'
import type { SkillPublishFlags, SkillRunFlags, SkillUpdateFlags } from './commands/skill-authors.ts'
import type { SkillFlags, SkillInstallFlags, SkillListFlags } from './commands/skills.ts'
import type { Done } from './program.ts'
import { withRestrictionOptions } from './restriction-options.ts'

/** `cmdop skills`. */
export function addSkillCommands(program: Command, done: Done, signal: AbortSignal): void {
  const skills = program
    .command('skills')
    .description('procedures with tools of their own: publish, install and run them')
  const one = (name: string, description: string) =>
    skills.command(name).description(description).option('--json', 'print one JSON document')
  const ofSlug = (name: string, description: string) =>
    one(name, description).argument('<slug>', 'name of the skill, from: cmdop skills list')
  addReading(one, ofSlug, { done, signal })
  addInstalling(one, ofSlug, { done, signal })
  addWriting(one, ofSlug, { done, signal })
}

type Make = (name: string, description: string) => Command

interface Context {
  readonly done: Done
  readonly signal: AbortSignal
}

const load = () => import('./commands/skills.ts')
const loadAuthors = () => import('./commands/skill-authors.ts')

function listed(command: Command, ordering: string): Command {
  return command
    .option('--search <text>', 'only those with this text in them')
    .option('--ordering <name>', `${ordering}; a - before it turns it round`)
    .option('--limit <count>', 'at most so many (default: 50)')
}

function addReading(one: Make, ofSlug: Make, { done, signal }: Context): void {
  const orders = 'by name, created_at, updated_at, install_count, star_count or download_count'
  listed(one('list', 'list the skills that your fleet sees: its own, and public ones'), orders)
    .option('--category <slug>', 'only of this one, from: cmdop skills categories')
    .option('--tag <slug>', 'only with this one, from: cmdop skills tags')
    .action(done(async (flags: SkillListFlags) => (await load()).listSkillsCommand({ ...flags, signal })))
  listed(one('my', 'list the skills that you have made'), orders).action(
    done(async (flags: SkillListFlags) => (await load()).mySkillsCommand({ ...flags, signal })),
  )
  ofSlug('get', 'show one, with what it says').action(
    done(async (slug: string, flags: SkillFlags) => (await load()).getSkillCommand(slug, { ...flags, signal })),
  )
  ofSlug('versions', 'list its versions, the newest first')
    .option('--limit <count>', 'at most so many (default: 50)')
    .action(
      done(async (slug: string, flags: SkillListFlags) =>
        (await load()).skillVersionsCommand(slug, { ...flags, signal }),
      ),
    )
  listed(ofSlug('reviews', 'list what people say of it'), 'by created_at or updated_at').action(
    done(async (slug: string, flags: SkillListFlags) => (await load()).skillReviewsCommand(slug, { ...flags, signal })),
  )
  for (const [name, description] of [
    ['categories', 'list what skills are about'],
    ['tags', 'list the words that skills are found by'],
  ] as const)
    listed(one(name, description), 'by name').action(
      done(async (flags: SkillListFlags) => (await load()).skillWordsCommand(name, { ...flags, signal })),
    )
}

function addInstalling(one: Make, ofSlug: Make, { done, signal }: Context): void {
  ofSlug(
    'install',
    'put it on machines, and see whether it works there; without a machine only look whether it is whole',
  )
    .option('--machine <machine...>', 'id, hostname, name or unique prefix')
    .option('--version <version>', 'default: the highest that is no pre-release')
    .option('--sha256 <digest>', 'refuse anything else')
    .option('--no-check', 'do not run its run_check')
    .action(
      done(async (slug: string, flags: SkillInstallFlags) =>
        (await load()).installSkillCommand(slug, { ...flags, signal }),
      ),
    )
  ofSlug('uninstall', 'take it from machines')
    .requiredOption('--machine <machine...>', 'id, hostname, name or unique prefix')
    .action(
      done(async (slug: string, flags: SkillFlags & { machine: string[] }) =>
        (await load()).uninstallSkillCommand(slug, { ...flags, signal }),
      ),
    )
  one('installed', 'list what is installed on a machine, each looked through')
    .argument('<machine>', 'id, hostname, name or unique prefix')
    .action(
      done(async (machine: string, flags: SkillFlags) =>
        (await load()).installedSkillsCommand(machine, { ...flags, signal }),
      ),
    )
  withRestrictionOptions(ofSlug('run', 'run a tool of it on a machine; prints the output as JSON'))
    .argument('<tool>', 'name of the tool')
    .argument('[input]', 'JSON object (default: {})')
    .requiredOption('--machine <machine>', 'id, hostname, name or unique prefix')
    .option('--env <name=value...>', 'set variables')
    .option('--deadline <duration>', 'stop it after this time: 30s, 5m (default: what the skill says)')
    .action(
      done(async (slug: string, tool: string, input: string | undefined, flags: SkillRunFlags) =>
        (await loadAuthors()).runSkillCommand([slug, tool, input], { ...flags, signal }),
      ),
    )
}

function addWriting(one: Make, ofSlug: Make, { done, signal }: Context): void {
  one('create', 'make an empty skill')
    .argument('<name>', 'its name')
    .action(
      done(async (name: string, flags: SkillFlags) =>
        (await loadAuthors()).createSkillCommand(name, { ...flags, signal }),
      ),
    )
  one('publish', 'publish the version that a folder with a SKILL.md holds; it never changes from then on')
    .argument('<folder>', 'the folder')
    .option('--changelog <text>', 'what is new')
    .option('--create', 'make the skill first where there is none of its name')
    .action(
      done(async (folder: string, flags: SkillPublishFlags) =>
        (await loadAuthors()).publishSkillCommand(folder, { ...flags, signal }),
      ),
    )
  ofSlug('publish-status', 'say how the last publication went, with what was wrong').action(
    done(async (slug: string, flags: SkillFlags) =>
      (await loadAuthors()).publishStatusCommand(slug, { ...flags, signal }),
    ),
  )
  ofSlug('update', 'change what is said of it; none takes it away')
    .option('--name <name>', 'its name')
    .option('--category <slug>', 'from: cmdop skills categories')
    .addOption(
      new Option('--visibility <who>', 'your fleet, or every fleet of the relay').choices(['private', 'public']),
    )
    .addOption(
      new Option('--status <status>', 'suspended: nobody installs it').choices(['draft', 'published', 'suspended']),
    )
    .option('--icon <url>', 'address of a picture')
    .option('--cover <url>', 'address of a picture')
    .option('--repository <url>', 'where it is worked on')
    .action(
      done(async (slug: string, flags: SkillUpdateFlags) =>
        (await loadAuthors()).updateSkillCommand(slug, { ...flags, signal }),
      ),
    )
  ofSlug('delete', 'delete it with its versions; what was installed stays').action(
    done(async (slug: string, flags: SkillFlags) =>
      (await loadAuthors()).deleteSkillCommand(slug, { ...flags, signal }),
    ),
  )
  ofSlug('star', 'star it, or take the star back').action(
    done(async (slug: string, flags: SkillFlags) => (await loadAuthors()).starSkillCommand(slug, { ...flags, signal })),
  )
  ofSlug('review', 'say what it is worth; it takes the place of what you said before')
    .argument('<text>', 'plain text')
    .action(
      done(async (slug: string, text: string, flags: SkillFlags) =>
        (await loadAuthors()).reviewSkillCommand(slug, text, { ...flags, signal }),
      ),
    )
}
