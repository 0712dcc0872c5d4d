import { type SimpleCommand, type Word, valueOf } from '../parse/simple-command.ts'
import { optionTable, readLeading } from './options.ts'
import { type Unwrap, type Unwrapped, RUNS_NOTHING, runsScript, runsUnknown, runsWords } from './unwrapped.ts'

const shellOptions = optionTable(
  'a b c e f h i k l m n p r s t u v x B C E H P T norc noprofile posix login version help restricted verbose',
  'o O',
)

const suOptions = optionTable(
  'l m p P f login preserve-environment pty',
  'c g G s w command group supp-group shell whitelist-environment',
)

const watchOptions = optionTable(
  'b c C d e g p t w x no-title color differences errexit chgexit precise exec beep no-wrap',
  'n q interval equexit',
)

const flockOptions = optionTable(
  's x e u n o F v shared exclusive unlock nonblock nb close no-fork verbose',
  'w E timeout conflict-exit-code wait',
)

/** Programs that have a shell run a text, and shells. */
export const shellWrappers: Readonly<Record<string, Unwrap>> = {
  sh: unwrapShell,
  bash: unwrapShell,
  dash: unwrapShell,
  ash: unwrapShell,
  rbash: unwrapShell,
  eval: (command) => joinedScript(command, command.words.slice(1)),
  trap: unwrapTrap,
  su: unwrapSu,
  runuser: unwrapSu,
  watch: unwrapWatch,
  flock: unwrapFlock,
}

function unwrapShell(command: SimpleCommand): Unwrapped {
  const words = command.words.slice(1).filter((word) => !/^\+[a-zA-Z]+$/.test(valueOf(word) ?? ''))
  const { options, rest, unknown } = readLeading(words, shellOptions)
  if (unknown !== undefined) return runsUnknown(unknown)
  const given = new Set(options.map(({ name }) => name))
  // `-oe` takes the next word where ours would take the letter.
  if (words.some((word) => /^-[a-zA-Z]*[oO]./.test(valueOf(word) ?? '')))
    return runsUnknown('its options are not clear')
  if (given.has('version') || given.has('help')) return RUNS_NOTHING
  const [first] = rest
  if (given.has('c')) {
    const text = valueOf(first)
    return text === undefined ? runsUnknown('the text that it runs is not known') : runsScript(command, text)
  }
  if (first !== undefined && !given.has('s')) return runsUnknown('what is in the script is not seen')
  return readsScript(command)
}

/** A shell that reads its commands: from a text that is here, or from who knows where. */
function readsScript(command: SimpleCommand): Unwrapped {
  const inputs = command.redirections.filter(({ kind }) => kind === 'input' || kind === 'read')
  const text = valueOf(inputs.at(-1)?.target)
  if (inputs.at(-1)?.kind === 'input' && text !== undefined) return runsScript(command, text)
  return runsUnknown('what it reads and runs is not known')
}

/** A program that puts words together with blanks, and has a shell run that. */
export function joinedScript(command: SimpleCommand, words: readonly Word[], on = command.on): Unwrapped {
  const texts = words.map(valueOf)
  if (texts.length === 0) return RUNS_NOTHING
  if (texts.some((text) => text === undefined)) return runsUnknown('the text that it runs is not known')
  return runsScript(command, texts.join(' '), on === command.on ? {} : { on, cwd: undefined })
}

function unwrapTrap(command: SimpleCommand): Unwrapped {
  const [action] = command.words.slice(1).filter((word) => valueOf(word) !== '--')
  const text = valueOf(action)
  if (action === undefined || text === '-' || text === '-l' || text === '-p') return RUNS_NOTHING
  return text === undefined ? runsUnknown('the text that it runs is not known') : runsScript(command, text)
}

function unwrapSu(command: SimpleCommand): Unwrapped {
  const words = command.words.slice(1).filter((word) => valueOf(word) !== '-')
  // The user may stand before the options.
  const isUserFirst = words[0] !== undefined && valueOf(words[0])?.startsWith('-') === false
  const { options, rest, unknown } = readLeading(isUserFirst ? words.slice(1) : words, suOptions)
  if (unknown !== undefined) return runsUnknown(unknown)
  if (rest.length > (isUserFirst ? 0 : 1)) return runsUnknown('options may stand after the user, too')
  if (options.some(({ name }) => name === 's' || name === 'shell')) return runsUnknown('its shell is another one')
  const given = options.filter(({ name }) => name === 'c' || name === 'command')
  const text = valueOf(given[0]?.value)
  if (given.length !== 1 || text === undefined) return runsUnknown('it starts a shell, or what it runs is not known')
  return runsScript(command, text, { cwd: undefined })
}

function unwrapWatch(command: SimpleCommand): Unwrapped {
  const { options, rest, unknown } = readLeading(command.words.slice(1), watchOptions)
  if (unknown !== undefined) return runsUnknown(unknown)
  if (rest.length === 0) return RUNS_NOTHING
  const isExec = options.some(({ name }) => name === 'x' || name === 'exec')
  return isExec ? runsWords(command, rest) : joinedScript(command, rest)
}

function unwrapFlock(command: SimpleCommand): Unwrapped {
  const { rest, unknown } = readLeading(command.words.slice(1), flockOptions)
  if (unknown !== undefined) return runsUnknown(unknown)
  const [file, first, ...others] = rest
  if (file === undefined || file.splits) return runsUnknown('its words are not known')
  if (first === undefined) return RUNS_NOTHING
  const isText = valueOf(first) === '-c' || valueOf(first) === '--command'
  if (!isText) return runsWords(command, [first, ...others])
  const text = valueOf(others[0])
  return text === undefined ? runsUnknown('the text that it runs is not known') : runsScript(command, text)
}
