import { type ExecuteCase, usable } from './execute-case.ts'

/** Commands of every form, and every size. */
export const languageCases: readonly ExecuteCase[] = [
  { title: 'a command without output', steps: [{ run: 'true', output: '' }] },
  { title: 'a command that fails', steps: [{ run: 'false', output: '', exitCode: 1 }, usable] },
  { title: 'an exit code', steps: [{ run: 'sh -c "exit 42"', output: '', exitCode: 42 }] },
  { title: 'output with its line end', steps: [{ run: 'echo hello', output: 'hello\n' }] },
  { title: 'output without a final newline', steps: [{ run: 'printf x', output: 'x' }, usable] },
  { title: 'standard error, in order', steps: [{ run: 'echo 1; echo 2 >&2; echo 3', output: '1\n2\n3\n' }] },
  {
    title: 'a program that is not there',
    steps: [{ run: 'no-such-program', output: /no-such-program/, exitCode: 127 }],
  },
  { title: 'several lines', steps: [{ run: 'echo 1\necho 2\n\nfalse\necho 3\n', output: '1\n2\n3\n' }] },
  {
    title: 'a loop over several lines',
    steps: [{ run: 'for i in 1 2 3; do\n\techo "$i"\ndone', output: '1\n2\n3\n' }],
    fish: [{ run: 'for i in 1 2 3\n\techo "$i"\nend', output: '1\n2\n3\n' }],
  },
  {
    title: 'a here-document with what the shell expands',
    steps: [{ run: 'x=1\ncat <<END\n$x "quoted" $((1 + 1))\nEND\necho after', output: '1 "quoted" 2\nafter\n' }],
    fish: [{ run: 'cat <<END\none\nEND', output: /^fish: /, exitCode: 123 }, usable],
  },
  {
    title: 'a here-document that is taken as it is',
    steps: [{ run: "cat <<'END'\n$x `y` \\ ' \"\n\ttab\nEND", output: '$x `y` \\ \' "\n\ttab\n' }],
    fish: [{ run: "printf '%s\\n' '$x `y` \\\\ \"'", output: '$x `y` \\ "\n' }],
  },
  {
    title: 'a here-string',
    steps: [{ run: 'cat <<<text', output: 'text\n' }],
    dash: [{ run: 'cat <<<text', output: /Syntax error/, exitCode: 2 }, usable],
    fish: [{ run: 'cat <<<text', output: /^fish: /, exitCode: 123 }, usable],
  },
  { title: 'quotes in quotes', steps: [{ run: `printf '%s\\n' 'a"b$c' "d'e"`, output: 'a"b$c\nd\'e\n' }] },
  {
    title: 'exclamation marks, which no history replaces',
    steps: [{ run: `echo "hi"!there !! !x '!'`, output: 'hi!there !! !x !\n' }],
  },
  { title: 'tabs, which complete nothing', steps: [{ run: "\techo 'a\tb'", output: 'a\tb\n' }] },
  {
    title: 'control characters, which edit nothing',
    steps: [
      { run: "printf '%s' '\x01\x05\x15\x17x\x7f\x1b[Ay' | od -An -tx1", output: ' 01 05 15 17 78 7f 1b 5b 41 79\n' },
    ],
  },
  { title: 'returns, which end nothing', steps: [{ run: "printf '%s' 'a\rb' | od -An -tx1", output: ' 61 0d 62\n' }] },
  { title: 'characters of every kind', steps: [{ run: "echo 'ü 日本 🎉 e\u0301'", output: 'ü 日本 🎉 e\u0301\n' }] },
  {
    title: 'a double quote too much',
    steps: [{ run: 'echo "', output: /unexpected EOF/, exitCode: 2 }, usable, { run: '{ echo 1; }', output: '1\n' }],
    zsh: [{ run: 'echo "', output: /unmatched/, exitCode: 1 }, usable],
    dash: [{ run: 'echo "', output: /Unterminated quoted string/, exitCode: 2 }, usable],
    fish: [{ run: 'echo "', output: /not balanced/, exitCode: 123 }, usable],
  },
  {
    title: 'a single quote too much',
    steps: [{ run: "echo 'x", output: /unexpected EOF/, exitCode: 2 }, usable],
    zsh: [{ run: "echo 'x", output: /unmatched/, exitCode: 1 }, usable],
    dash: [{ run: "echo 'x", output: /Unterminated quoted string/, exitCode: 2 }, usable],
    fish: [{ run: "echo 'x", output: /not balanced/, exitCode: 123 }, usable],
  },
  {
    title: 'what is not finished',
    steps: [{ run: 'if true; then echo x', output: /syntax error|unexpected end/, exitCode: 2 }, usable],
    zsh: [{ run: 'if true; then echo x', output: /parse error/, exitCode: 1 }, usable],
    dash: [{ run: 'if true; then echo x', output: /Syntax error/, exitCode: 2 }, usable],
    fish: [{ run: 'if true; echo x', output: /Missing end/, exitCode: 123 }, usable],
  },
  {
    title: 'what ends nothing',
    steps: [{ run: 'fi', output: /syntax error/, exitCode: 2 }, usable],
    zsh: [{ run: 'fi', output: /parse error/, exitCode: 1 }, usable],
    dash: [{ run: 'fi', output: /Syntax error/, exitCode: 2 }, usable],
    fish: [{ run: 'end', output: /'end' outside of a block/, exitCode: 123 }, usable],
  },
  {
    title: 'a here-document without its end',
    steps: [{ run: 'cat <<END\ntext', output: /text/ }, usable],
    fish: [{ run: 'cat <', output: /^fish: /, exitCode: 123 }, usable],
  },
  {
    title: 'a backslash at the end',
    steps: [{ run: 'echo a \\', output: 'a \\\n' }, usable],
    zsh: [{ run: 'echo a \\', output: /^a ?\n$/ }, usable],
    fish: [{ run: 'echo a \\', output: /incomplete escape sequence/, exitCode: 123 }, usable],
  },
  { title: 'nothing but a comment', steps: [{ run: '# nothing', output: '' }, usable] },
  { title: 'nothing but spaces', steps: [{ run: '  \n ', output: '' }, usable] },
  {
    title: 'the exit code of the command before',
    steps: [
      { run: 'sh -c "exit 7"', exitCode: 7 },
      { run: 'echo $?', output: '7\n' },
    ],
    fish: [
      { run: 'sh -c "exit 7"', exitCode: 7 },
      { run: 'echo $status', output: '7\n' },
    ],
  },
  { title: 'the exit code of a pipe', steps: [{ run: 'false | true' }, { run: 'true | false', exitCode: 1 }] },
  { title: 'a program that a signal ends', steps: [{ run: "sh -c 'kill -TERM $$'", exitCode: 143 }, usable] },
  {
    title: 'a line longer than a terminal takes',
    steps: [{ run: `printf %s ${'x'.repeat(60_000)} | wc -c`, output: /^ *60000\n$/ }],
  },
  { title: 'many lines', steps: [{ run: `${'true\n'.repeat(10_000)}echo end`, output: 'end\n' }] },
  {
    title: 'an option with a quote in every place',
    steps: [{ run: `printf %s ${"\\'".repeat(20_000)} | wc -c`, output: /^ *20000\n$/ }],
  },
]
