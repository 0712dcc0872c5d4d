import { type ExecuteCase, type Step, usable } from './execute-case.ts'

/** Longer than a program takes to begin, also on a machine that is busy. */
const DEADLINE_MS = 800

const state: readonly ExecuteCase[] = [
  {
    title: 'a directory that carries over',
    steps: [
      { run: 'mkdir a; cd a', cwd: 'a' },
      { run: 'cd ..; pwd', cwd: '', output: /cwd\n$/ },
    ],
  },
  {
    title: 'a directory whose name has everything in it',
    steps: [
      {
        run: `d="$(printf 'a;b \\033]133;A\\007 "q\\n\\nx\\303\\244\\377')"; mkdir "$d"; cd "$d"`,
        cwd: 'a;b \x1b]133;A\x07 "q\n\nx\xc3\xa4\xff',
      },
      usable,
    ],
    fish: [
      {
        run: `set d (printf 'a;b \\033]133;A\\007 "q\\n\\nx\\303\\244\\377' | string collect); mkdir $d; cd $d`,
        cwd: 'a;b \x1b]133;A\x07 "q\n\nx\xc3\xa4\xff',
      },
      usable,
    ],
  },
  {
    title: 'a directory that is not there',
    steps: [{ run: 'cd /no-such-folder', output: /no-such-folder/, exitCode: 1, cwd: '' }],
    dash: [{ run: 'cd /no-such-folder', output: /no-such-folder/, exitCode: 2, cwd: '' }],
  },
  {
    title: 'an exported variable that carries over',
    steps: [{ run: 'export ONE=1' }, { run: "sh -c 'echo $ONE'", output: '1\n' }],
    fish: [{ run: 'set -x ONE 1' }, { run: "sh -c 'echo $ONE'", output: '1\n' }],
  },
  {
    title: 'a variable that is not exported',
    steps: [{ run: 'two="a  b"' }, { run: 'echo "$two"; sh -c \'echo "<$two>"\'', output: 'a  b\n<>\n' }],
    fish: [{ run: 'set two "a  b"' }, { run: 'echo "$two"; sh -c \'echo "<$two>"\'', output: 'a  b\n<>\n' }],
  },
  {
    title: 'a function that carries over',
    steps: [
      { run: 'greet() {\n  echo "hello $1"\n  return 3\n}' },
      { run: 'greet you', output: 'hello you\n', exitCode: 3 },
    ],
    fish: [
      { run: 'function greet\n  echo "hello $argv[1]"\n  return 3\nend' },
      { run: 'greet you', output: 'hello you\n', exitCode: 3 },
    ],
  },
  {
    title: 'an alias that carries over',
    steps: [{ run: "alias greet='echo hello'" }, { run: 'greet you', output: 'hello you\n' }],
  },
  {
    title: 'a declared array that carries over',
    steps: [{ run: 'declare -a list=(1 2 3)' }, { run: 'echo "${list[1]}"', output: '2\n' }],
    zsh: [{ run: 'typeset -A map; map[a]=1' }, { run: 'echo "${map[a]}"', output: '1\n' }],
    dash: [{ run: 'set -- 1 2 3' }, { run: 'echo "$2"', output: '2\n' }],
    fish: [{ run: 'set list 1 2 3' }, { run: 'echo $list[2]', output: '2\n' }],
  },
  {
    title: 'an option that carries over',
    steps: [{ run: 'set -f' }, { run: 'echo *', output: '*\n' }],
    zsh: [{ run: 'setopt noglob' }, { run: 'echo *', output: '*\n' }],
    fish: [{ run: 'status job-control full' }, usable],
  },
  { title: 'a file mode mask that carries over', steps: [{ run: 'umask 027' }, { run: 'umask', output: /^0?027\n$/ }] },
  {
    title: 'an environment that does not hold the nonce',
    steps: [
      { run: 'export PS1 PROMPT_COMMAND; set -a; x=1' },
      { run: 'env | grep -c NONCE', output: '0\n', exitCode: 1 },
    ],
    fish: [{ run: 'env | grep -c NONCE', output: '0\n', exitCode: 1 }],
  },
]

const marks: readonly ExecuteCase[] = [
  {
    title: 'marks that the command prints itself',
    steps: [
      {
        run: `printf 'a\\033]133;D;0\\007b\\033]133;A\\033\\134c\\033]133;C;cmdop=00;1;;00\\007d'`,
        output: 'a\x1b]133;D;0\x07b\x1b]133;A\x1b\\c\x1b]133;C;cmdop=00;1;;00\x07d',
      },
      usable,
    ],
  },
  {
    title: 'the beginning of a mark at the end',
    steps: [{ run: `printf 'a\\033]133;D;cmd'`, output: 'a\x1b]133;D;cmd' }, usable],
  },
  { title: 'an escape character at the end', steps: [{ run: `printf 'a\\033'`, output: 'a\x1b' }, usable] },
  { title: 'every variable of the shell, ours included', steps: [{ run: 'set', output: /__cmdop_nonce/ }, usable] },
  {
    title: 'binary output, as the terminal passes it on',
    steps: [{ run: `printf '\\000\\001\\200\\377\\303\\015'`, bytes: '\0\x01\x80\xff\xc3\r' }, usable],
  },
]

const shellItself: readonly ExecuteCase[] = [
  { title: 'exit', steps: [{ run: 'exit 3', exitCode: 3, reason: 'session-ended' }] },
  { title: 'exit of a shell within', steps: [{ run: 'sh -c "echo in; exit 4"; echo out', output: 'in\nout\n' }] },
  {
    title: 'a subshell',
    steps: [{ run: '(cd /; exit 4)', exitCode: 4, cwd: '' }],
    fish: [{ run: '(exit 4)', output: /command substitutions/, exitCode: 123 }, usable],
  },
  {
    title: 'exec',
    steps: [{ run: `exec sh -c 'echo bye; exit 5'`, output: 'bye\n', exitCode: 5, reason: 'session-ended' }],
  },
  {
    title: 'a shell that is killed',
    steps: [{ run: 'kill -9 $$', exitCode: null, reason: 'session-ended' }],
    fish: [{ run: 'kill -9 $fish_pid', exitCode: null, reason: 'session-ended' }],
  },
  {
    title: 'a trap at the end',
    steps: [
      { run: "trap 'echo trapped' EXIT" },
      { run: 'exit 2', output: /trapped\n$/, exitCode: 2, reason: 'session-ended' },
    ],
    fish: [
      { run: 'function bye --on-event fish_exit; echo trapped; end' },
      { run: 'exit 2', output: /trapped\n/, exitCode: 2, reason: 'session-ended' },
    ],
  },
  {
    title: 'an end at the first error, which a shell on a terminal takes at its word',
    steps: [
      { run: 'set -e; echo 1', output: '1\n' },
      { run: 'true || false; echo 2', output: '2\n' },
      { run: 'sh -c "exit 6"; echo 3', output: /^(exit\n)?$/, exitCode: 6, reason: 'session-ended' },
    ],
    fish: [{ run: 'false; or echo 2', output: '2\n' }, usable],
  },
  {
    title: 'a variable that must be set',
    steps: [{ run: 'set -u' }, { run: 'echo "$unset_variable"', output: /unset_variable/, exitCode: 1 }, usable],
    dash: [{ run: 'set -u' }, { run: 'echo "$unset_variable"', output: /unset_variable/, exitCode: 2 }, usable],
    fish: [{ run: 'echo "$unset_variable"', output: '\n' }, usable],
  },
  {
    title: 'a prompt that is changed',
    steps: [
      { run: "PS1='> '; PS2=; PROMPT_COMMAND='PS1=\"$RANDOM> \"'" },
      usable,
      { run: 'unset PS1 PROMPT_COMMAND' },
      usable,
      { run: 'sh -c "exit 9"', exitCode: 9 },
    ],
    zsh: [
      { run: "PS1='> '; precmd() { PS1=x }; precmd_functions=(); preexec_functions=()" },
      usable,
      { run: 'zle -D zle-line-init; unset PS1' },
      usable,
      { run: 'sh -c "exit 9"', exitCode: 9 },
    ],
    dash: [{ run: "PS1='> '; PS2=" }, usable, { run: 'unset PS1' }, usable, { run: 'sh -c "exit 9"', exitCode: 9 }],
    fish: [
      { run: "function fish_prompt; echo -n '> '; end" },
      usable,
      { run: 'functions -e fish_prompt' },
      usable,
      { run: 'sh -c "exit 9"', exitCode: 9 },
    ],
  },
  {
    title: 'names that mean something else',
    steps: [{ run: 'alias printf=false eval=false; eval() { return 9; }; printf() { return 9; }' }, usable],
    dash: [{ run: 'alias printf=false cd=false; printf() { return 9; }; unalias -a' }, usable],
    zsh: [
      { run: 'alias printf=false eval=false print=false; printf() { return 9; }; eval() { return 9; }' },
      usable,
      { run: '\\unalias -a; unset -f eval; true' },
      usable,
    ],
    fish: [{ run: 'function printf; return 9; end; alias echo=false; functions -e echo' }, usable],
  },
  {
    title: 'words that are split elsewhere',
    steps: [{ run: 'IFS=_:e' }, usable, { run: 'unset IFS' }, usable],
    fish: [{ run: 'set -g IFS _' }, usable],
  },
  {
    title: 'standard output that is sent away',
    steps: [{ run: 'exec >/dev/null' }, { run: 'echo unseen; echo seen >/dev/tty', output: 'seen\n' }],
    fish: [{ run: 'begin; echo unseen; end >/dev/null', output: '' }, usable],
  },
  {
    title: 'keys of vi',
    steps: [{ run: 'set -o vi' }, usable, { run: 'set -o emacs' }, usable],
    zsh: [{ run: 'bindkey -v' }, usable, { run: 'bindkey -e' }, usable],
    dash: [{ run: 'set -o vi; true' }, usable],
    fish: [{ run: 'fish_vi_key_bindings' }, usable, { run: 'fish_default_key_bindings' }, usable],
  },
  { title: 'a terminal that does not echo', steps: [{ run: 'stty -echo' }, usable, { run: 'stty echo' }, usable] },
]

const jobs: readonly ExecuteCase[] = [
  {
    title: 'a job in the background',
    // Within eval, zsh counts its own part of the line as jobs.
    steps: [{ run: 'sleep 1001 &', output: /^\[1\] \d+\n$/ }, usable, { run: 'kill $!; wait; true' }, usable],
    zsh: [{ run: 'sleep 1001 &', output: /^\[\d\] \d+\n$/ }, usable, { run: 'kill $!; wait; true' }, usable],
    dash: [{ run: 'sleep 1001 &', output: '' }, usable, { run: 'kill $!; wait; true' }, usable],
    fish: [{ run: 'sleep 1001 &', output: '' }, usable, { run: 'kill $last_pid; wait; true' }, usable],
  },
  {
    title: 'output of a job that comes later',
    steps: [
      { run: '{ sleep 0.3; echo late; } & echo now', output: /^(\[\d\] \d+\n)?now\n$/ },
      { run: 'wait; true', output: /late/ },
    ],
    fish: [
      { run: 'sh -c "sleep 0.3; echo late" & ; echo now', output: 'now\n' },
      { run: 'wait; true', output: /late/ },
    ],
  },
  {
    title: 'a program that stops itself',
    steps: [{ run: "sh -c 'kill -STOP $$'", exitCode: 147 }, { run: 'kill -9 %1; wait; true' }, usable],
    fish: [{ run: "sh -c 'kill -STOP $$'", exitCode: 0 }, { run: 'kill -9 %1; wait; true' }, usable],
  },
]

const interrupted = { timeoutMs: DEADLINE_MS, reason: 'deadline', exitCode: 130 } as const
const afterwards: Step = { run: "stty -a | grep -c -w -e '-icanon' -e '-echo'", output: '0\n', exitCode: 1 }

const deadlines: readonly ExecuteCase[] = [
  {
    title: 'a program that takes too long',
    steps: [{ run: 'sleep 1002', ...interrupted, output: /^\^C\n?$/ }, usable],
  },
  { title: 'a program that reads', steps: [{ run: 'cat', ...interrupted }, usable] },
  {
    title: 'a shell that reads',
    steps: [{ run: 'read x', ...interrupted }, usable],
    fish: [{ run: 'read x', timeoutMs: DEADLINE_MS, reason: 'deadline' }, usable],
  },
  {
    title: 'a loop of the shell',
    steps: [{ run: 'while :; do :; done; echo unseen', ...interrupted, output: /^\^C\n?$/ }, usable],
    // fish may be between two rounds of the loop, and then says nothing of it.
    fish: [{ run: 'while true; end; echo unseen', timeoutMs: DEADLINE_MS, reason: 'deadline' }, usable],
  },
  {
    title: 'a command after the one that takes too long',
    steps: [{ run: 'sleep 1003; echo unseen', ...interrupted, output: /^\^C\n?$/ }, usable],
  },
  {
    title: 'a program that ignores the key',
    steps: [
      { run: `sh -c 'trap "" INT; sleep 1004'`, timeoutMs: DEADLINE_MS, reason: 'deadline', exitCode: 143 },
      usable,
    ],
  },
  {
    title: 'a program that ignores every request',
    steps: [
      {
        run: `sh -c 'trap "" INT TERM; while :; do sleep 1; done'`,
        timeoutMs: DEADLINE_MS,
        reason: 'deadline',
        exitCode: 137,
      },
      usable,
    ],
  },
  {
    title: 'a program in full screen, whose terminal is as before',
    steps: [
      {
        run: `printf '\\033[?1049h\\033[?25l'; stty raw -echo; sleep 1005`,
        timeoutMs: DEADLINE_MS,
        reason: 'deadline',
      },
      afterwards,
      usable,
    ],
  },
  {
    title: 'a shell in the shell',
    steps: [{ run: 'sh -i', timeoutMs: DEADLINE_MS, reason: 'deadline' }, afterwards, usable],
  },
  { title: 'several programs in a pipe', steps: [{ run: 'sleep 1006 | sleep 1007', ...interrupted }, usable] },
]

/** What a command does to the session that it runs in. */
export const sessionCases: readonly ExecuteCase[] = [...state, ...marks, ...shellItself, ...jobs, ...deadlines]
