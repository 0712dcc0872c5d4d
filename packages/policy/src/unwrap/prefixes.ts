import { type Assignment, type SimpleCommand, type Word, valueOf } from '../parse/simple-command.ts'
import { type GivenOption, type OptionTable, optionTable, readLeading } from './options.ts'
import { type Unwrap, type Unwrapped, RUNS_NOTHING, runsUnknown, runsWords } from './unwrapped.ts'

/** A program that takes options, then a command. */
interface Prefix {
  readonly options: OptionTable
  /** Operands before the command, such as the seconds of `timeout`. */
  readonly operands?: number
  /** Whether `NAME=value` may stand before the command. */
  readonly variables?: boolean
  /** Options with which it runs nothing. */
  readonly alone?: ReadonlySet<string>
  /** Options after which it is not known what it runs, or in which it does something itself. */
  readonly unclear?: ReadonlySet<string>
}

const set = (list: string): ReadonlySet<string> => new Set(list.split(' '))

const sudoOptions = optionTable(
  'A b E H K k n P S v i s l e non-interactive preserve-env stdin set-home login shell list validate background edit',
  'u g p C D R T U h r t user group prompt chdir chroot host role type other-user command-timeout close-from',
)

const prefixes: Readonly<Record<string, Prefix>> = {
  sudo: {
    options: sudoOptions,
    variables: true,
    alone: set('l list v validate'),
    unclear: set('e edit K k R chroot D chdir'),
  },
  doas: { options: optionTable('n s L', 'u C'), unclear: set('C L'), variables: true },
  env: {
    options: optionTable(
      'i 0 v ignore-environment null debug block-signal default-signal ignore-signal list-signal-handling',
      'u C S unset chdir split-string',
    ),
    variables: true,
    unclear: set('S split-string'),
  },
  timeout: {
    options: optionTable('v f p foreground preserve-status verbose', 'k s kill-after signal'),
    operands: 1,
  },
  nice: { options: optionTable('', 'n adjustment') },
  ionice: { options: optionTable('t ignore', 'c n class classdata p P u'), unclear: set('p P u') },
  nohup: { options: optionTable('') },
  setsid: { options: optionTable('c f w ctty fork wait') },
  stdbuf: { options: optionTable('', 'i o e input output error') },
  time: { options: optionTable('p v l portability verbose', 'f format') },
  taskset: { options: optionTable('a c all-tasks cpu-list'), operands: 1 },
  command: { options: optionTable('p v V'), alone: set('v V') },
  builtin: { options: optionTable('') },
  exec: { options: optionTable('c l', 'a'), unclear: set('a') },
  busybox: { options: optionTable('list help'), alone: set('list help') },
  toybox: { options: optionTable('long help'), alone: set('long help') },
  chronic: { options: optionTable('v e') },
  unbuffer: { options: optionTable('p') },
  caffeinate: { options: optionTable('d i m s u', 't') },
  noglob: { options: optionTable('') },
  nocorrect: { options: optionTable('') },
}

/** Programs that take options, then a command that they run. */
export const prefixWrappers: Readonly<Record<string, Unwrap>> = Object.fromEntries(
  Object.entries(prefixes).map(([name, prefix]) => [name, (command: SimpleCommand) => unwrapPrefix(command, prefix)]),
)

function unwrapPrefix(command: SimpleCommand, prefix: Prefix): Unwrapped {
  const words = withoutDashNumber(command.words.slice(1))
  const { options, rest, unknown } = readLeading(words, prefix.options)
  if (unknown !== undefined) return runsUnknown(unknown)
  if (options.some(({ name }) => prefix.alone?.has(name) === true)) return RUNS_NOTHING
  const unclear = options.find(({ name }) => prefix.unclear?.has(name) === true)
  if (unclear !== undefined) return splitString(command, unclear, rest) ?? runsUnknown(`of its option ${unclear.name}`)
  const afterOperands = rest.slice(prefix.operands ?? 0)
  if (rest.slice(0, prefix.operands ?? 0).some(({ values }) => values === undefined))
    return runsUnknown('its words are not known')
  const { assignments, words: inner } =
    prefix.variables === true ? takeAssignments(afterOperands) : { assignments: [], words: afterOperands }
  if (inner.length === 0) return withoutCommand(command, options)
  const leavesDirectory = options.some(({ name }) => ['i', 'login', 'C', 'chdir'].includes(name))
  return runsWords(command, inner, { assignments, ...(leavesDirectory ? { cwd: undefined } : {}) })
}

/** `nice -10 command`, and the lone dash of `env`. */
function withoutDashNumber(words: readonly Word[]): readonly Word[] {
  const first = valueOf(words[0])
  return first !== undefined && /^(?:--?\d+|-)$/.test(first) ? words.slice(1) : words
}

function takeAssignments(words: readonly Word[]): { assignments: Assignment[]; words: readonly Word[] } {
  const assignments: Assignment[] = []
  for (const [index, word] of words.entries()) {
    const [, name, value] = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(word.values?.[0] ?? word.start) ?? []
    if (name === undefined) return { assignments, words: words.slice(index) }
    assignments.push({ name, value: valueOf(word) === undefined ? undefined : value })
  }
  return { assignments, words: [] }
}

/** Without a command `env` prints, `exec` redirects, and `sudo -i` starts a shell. */
function withoutCommand({ words }: SimpleCommand, options: readonly GivenOption[]): Unwrapped {
  const name = words[0]?.values?.[0] ?? ''
  if (/(?:^|\/)(?:env|exec|nohup|nice|time|command|busybox|toybox|setsid)$/.test(name)) return RUNS_NOTHING
  return runsUnknown(options.length > 0 ? 'it starts a shell, or asks' : 'it is given no command')
}

/** `env -S 'a b'`: the words of a text, where nothing is quoted in it. */
function splitString(
  command: SimpleCommand,
  { name, value }: GivenOption,
  rest: readonly Word[],
): Unwrapped | undefined {
  if (name !== 'S' && name !== 'split-string') return undefined
  const text = valueOf(value)
  if (text === undefined || /['"\\$#]/.test(text)) return undefined
  const words = text.split(/\s+/).filter((word) => word !== '')
  const split = words.map((word) => ({ text: word, values: [word], start: word, splits: false }))
  // What the text begins with may be options of env again.
  return runsWords(command, [command.words[0] as Word, ...split, ...rest])
}
