import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Decided, decide } from './decide.ts'
import { compilePolicy } from './compile-policy.ts'

const policy = compilePolicy({})
const decided = (command: string | readonly string[]): Decided =>
  decide(policy, { tool: 'exec', principalKind: 'ai', command, cwd: '/srv' })

const deleting = fc.constantFrom(
  'rm -rf x',
  'unlink x',
  'find . -delete',
  'truncate -s 0 x',
  'git clean -fd',
  'shred x',
  'dd if=a of=b',
)

/** A word as somebody might write it, so that a shell reads the same. */
const disguised = (word: string) =>
  fc
    .array(fc.constantFrom('plain', 'single', 'double', 'escape', 'ansi', 'empty'), {
      minLength: word.length,
      maxLength: word.length,
    })
    .map((ways) => Array.from(word, (character, index) => written(character, ways[index] ?? 'plain')).join(''))

function written(character: string, way: string): string {
  if (way === 'single') return `'${character}'`
  if (way === 'double') return `"${character}"`
  if (way === 'escape') return `\\${character}`
  if (way === 'ansi') return `$'\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}'`
  return way === 'empty' ? `''${character}` : character
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

/** What runs a command: each takes one, and gives another that runs it. */
const wrappings: readonly ((command: string) => string)[] = [
  (command) => `sudo ${command}`,
  (command) => `env A=b ${command}`,
  (command) => `timeout 5 ${command}`,
  (command) => `nohup nice -n 5 ${command}`,
  (command) => `sh -c ${quoted(command)}`,
  (command) => `bash -lc ${quoted(command)}`,
  (command) => `ssh web-1 ${quoted(command)}`,
  (command) => `eval ${quoted(command)}`,
  (command) => `find . -name x -exec sh -c ${quoted(command)} \\;`,
  (command) => `ls | xargs ${command}`,
  (command) => `watch ${quoted(command)}`,
  (command) => `echo $(${command})`,
  (command) => `cat <(${command})`,
  (command) => `if true; then ${command}; fi`,
  (command) => `for i in 1 2; do ${command}; done`,
  (command) => `f() { ${command}; }; f`,
  (command) => `(${command})`,
  (command) => `ls && ${command} | cat &`,
  (command) => `sh <<'EOF'\n${command}\nEOF`,
  (command) => `x=$(${command}); echo "$x"`,
  (command) => `trap ${quoted(command)} EXIT`,
  (command) => `case a in *) ${command};; esac`,
  (command) => `busybox sh -c ${quoted(command)}`,
]

test('a command that deletes is never allowed by itself, however it is quoted and wrapped', () => {
  const disguisedCommand = deleting.chain((command) =>
    fc.tuple(...command.split(' ').map(disguised)).map((words) => words.join(' ')),
  )
  const layers = fc.array(fc.constantFrom(...wrappings), { maxLength: 5 })
  fc.assert(
    fc.property(disguisedCommand, layers, (command, around) => {
      const whole = around.reduce((inner, wrap) => wrap(inner), command)
      expect({ whole, decision: decided(whole).decision }).toEqual({ whole, decision: 'ask' })
    }),
    { numRuns: 3000 },
  )
})

test('a command that deletes is found among those that read, wherever it stands', () => {
  const reading = fc.constantFrom('ls', 'df -h', 'cat a | grep b', "echo 'x; y'", 'ps aux # all', 'x=1')
  const between = fc.constantFrom(';', '&&', '||', '\n', '|', '&')
  fc.assert(
    fc.property(
      fc.array(fc.tuple(reading, between)),
      deleting,
      fc.array(fc.tuple(between, reading)),
      (before, command, after) => {
        // A comment ends with its line.
        const lines = before.map(([text, sign]) => (text.includes('#') ? `${text}\n` : `${text} ${sign} `)).join('')
        const {
          decision,
          deleting: deletes,
          problem,
        } = {
          problem: undefined,
          ...decided(`${lines}${command}${after.map((part) => ` ${part.join(' ')}`).join('')}`),
        }
        expect({ decision, deletes, problem }).toEqual({ decision: 'ask', deletes: true, problem: undefined })
      },
    ),
    { numRuns: 1000 },
  )
})

test('whatever is given, an answer comes, and soon', () => {
  const piece = fc.constantFrom(
    ..."$ ( ) { } ` \" ' \\ | & ; < > << <<- <<< $( $(( ${ $' <( [[ ]] if then fi do done case esac for in while function # ! ~ * ? [ ] = a rm ls sudo sh -c -exec find xargs env eval \n \t \0 \u00e9 \ud83d".split(
      ' ',
    ),
    ' ',
    '\n',
  )
  const garbage = fc.oneof(
    fc.string({ maxLength: 400 }),
    fc.array(piece, { maxLength: 300 }).map((pieces) => pieces.join(' ')),
    fc.array(piece, { maxLength: 300 }).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(garbage, (command) => {
      const started = performance.now()
      const { decision } = decided(command)
      expect(['allow', 'ask']).toContain(decision)
      expect(performance.now() - started).toBeLessThan(1000)
    }),
    { numRuns: 5000, examples: [['rm $( ? [[']] },
  )
})

test('an argv is decided on whatever is in it', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 20 }), (command) => {
      expect(['allow', 'ask']).toContain(decided(command).decision)
    }),
  )
})
