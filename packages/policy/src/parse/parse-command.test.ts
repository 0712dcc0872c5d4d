import { CARRY_PREFIX } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import { parseCommand } from './parse-command.ts'

/** The words of each simple command; what is not known stands in angle brackets. */
function wordsOf(command: string | readonly string[]): string[] {
  return parseCommand(command).commands.map(({ words }) =>
    words.map(({ values, text }) => (values?.length === 1 ? values[0] : `<${values?.join('|') ?? text}>`)).join(' '),
  )
}

describe('the simple commands of a string', () => {
  test.each([
    ['ls -l', ['ls -l']],
    ['a | b && c; d & e', ['a', 'b', 'c', 'd', 'e']],
    ["r\\m 'a b' \"c\"$'\\x41'", ['rm a b cA']],
    ['echo $(a `b`)', ['echo <$(a `b`)>', 'a <`b`>', 'b']],
    ['cat <(a) > >(b)', ['cat <<(a)>', 'a', 'b']],
    ['for h in a b; do ssh $h up; done', ['ssh <a|b> up', 'up']],
    ['x=1; echo $x "$x.y"', ['', 'echo 1 1.y']],
    ['x=1; x=2; echo $x', ['', '', 'echo <$x>']],
    [
      'sudo -u root env A=b timeout 5 rm x',
      ['sudo -u root env A=b timeout 5 rm x', 'env A=b timeout 5 rm x', 'timeout 5 rm x', 'rm x'],
    ],
    ["bash -lc 'a; b'", ['bash -lc a; b', 'a', 'b']],
    ['find . -exec rm {} + -print', ['find . -exec rm {} + -print', 'rm <{}>']],
    ['a | xargs -n1 rm -f', ['a', 'xargs -n1 rm -f', 'rm -f <...>']],
    ["ssh web 'a | b'", ['ssh web a | b', 'a', 'b']],
    ['sh <<EOF\na\nEOF', ['sh', 'a']],
    ['f() { a; }; f', ['a', 'f']],
    ['if a; then b; else c; fi', ['a', 'b', 'c']],
    [`${CARRY_PREFIX}ls`, ['ls']],
  ])('%s', (command, words) => {
    expect(wordsOf(command)).toEqual(words)
  })
})

test('an argv is looked at by no shell', () => {
  expect(wordsOf(['echo', '$(rm x)', '*'])).toEqual(['echo $(rm x) *'])
  expect(wordsOf(['sudo', 'rm', 'x'])).toEqual(['sudo rm x', 'rm x'])
})

test('says where a command was found, and on which host it runs', () => {
  const [, inner] = parseCommand("ssh root@web-1 'uptime'").commands
  expect(inner).toMatchObject({ via: ['ssh'], on: ['web-1'] })
  expect(parseCommand('for i in a; do (b | c) & done').commands.map(({ via }) => via)).toEqual([
    ['loop', 'background', 'subshell', 'pipe'],
    ['loop', 'background', 'subshell', 'pipe'],
  ])
})

test('follows a change of directory only where it is sure', () => {
  const directories = (command: string) => parseCommand(command, { cwd: '/a' }).commands.map(({ cwd }) => cwd)
  expect(directories('x; y')).toEqual(['/a', '/a'])
  expect(directories('cd /b && x; y')).toEqual(['/a', '/b', undefined])
  expect(directories('cd /b; x')).toEqual([undefined, undefined])
  expect(directories('for i in 1 2; do x; cd /b; done')).toEqual([undefined, undefined])
  expect(directories('cd /b && x || y')).toEqual([undefined, undefined, undefined])
})

test.each([
  ['an open quote', "echo 'a", 'quote'],
  ['half of a condition', 'if a; then', 'expected'],
  ['a bracket too many', 'a)', 'unexpected'],
  ['two brackets', '((rm x))', 'arithmetic'],
  ['a test with an operator', '[[ a && rm ]]', '[[ ]]'],
  ["a quote in $''", "echo $'a\\'; rm x; #'", 'quote'],
  ['a NUL', 'a\0b', 'NUL'],
  ['a long text', 'x'.repeat(40_000), 'longer'],
  ['many expansions', '$('.repeat(2000), 'expansions'],
  ['deep nesting', `${'( '.repeat(200)}a${' )'.repeat(200)}`, 'nested'],
  ['many commands', 'a;'.repeat(5000), 'too many'],
  ['a fork bomb', ':(){ :|:& };:', 'calls itself'],
])('says that it does not understand %s', (_, command, problem) => {
  expect(parseCommand(command).problem).toContain(problem)
})

test.each([
  ['parentheses', '('.repeat(30_000)],
  ['substitutions', '$('.repeat(900)],
  ['backquotes', '`'.repeat(900)],
  ['here-documents', '<<a'.repeat(10_000)],
  ['here-documents with their texts', `${'<<a '.repeat(900)}${'\nb'.repeat(10_000)}`],
  ['wrappers', 'sudo '.repeat(6000)],
  ['shells', "sh -c 'eval ".repeat(500)],
  ['sed scripts', `sed '${'s/[/'.repeat(7000)}'`],
  ['awk programs', `awk '${'/a'.repeat(15_000)}'`],
  ['queries', `psql -c '${'select ('.repeat(900)}'`],
])('takes a bounded time for many %s', (_, command) => {
  const started = performance.now()
  parseCommand(command)
  expect(performance.now() - started).toBeLessThan(1000)
})
