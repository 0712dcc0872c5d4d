import { join } from 'node:path'
import { type Integration, type IntegrationRequest, quote } from './integration.ts'

/** A key that no keyboard has. */
const KEY = '\\e[5133~'

/**
 * bash reads its own system-wide file, then ours instead of `~/.bashrc`, which ours reads. A command is taken over by a key
 * that is bound to replace the line with one that reads the command's file; what readline draws meanwhile is not shown.
 */
export function bashIntegration({ nonce, folder, env }: IntegrationRequest): Integration {
  const file = join(folder, 'bashrc')
  return {
    args: ['--rcfile', file, '-i'],
    env,
    files: [{ name: 'bashrc', text: bashrc(nonce, join(folder, 'command')) }],
    commandFile: 'command',
    commandText: ({ id, command, hidden }) =>
      `__cmdop_command=${quote(command)}\n__cmdop_id=${id}\n__cmdop_hidden=${hidden ? 1 : 0}\n`,
    keys: '\x1b[5133~\n',
    clearsByInterrupt: true,
    editsLines: true,
  }
}

/** Hooks redirect what they trace (`set -x`), expand nothing unset (`set -u`), and never fail (`set -e`). */
function bashrc(nonce: string, commandFile: string): string {
  // The line is typed with a space before it, and replaced in the history by the command itself.
  const line = `__cmdop_begin "$?";\\builtin eval "$__cmdop_command";{ __cmdop_end "$?";} 2>/dev/null`
  return `if [ -r ~/.bashrc ]; then . ~/.bashrc; fi

__cmdop_nonce=${quote(nonce)}
__cmdop_osc=$'\\e]133;'
__cmdop_bell=$'\\a'
__cmdop_hook=__cmdop_prompt
__cmdop_line=${quote(` ${line}`)}
declare +x __cmdop_nonce __cmdop_osc __cmdop_bell __cmdop_hook __cmdop_line

__cmdop_mark() {
  \\builtin printf '%s%s;cmdop=%s;%s;%s;%s%s' "$__cmdop_osc" "$1" "$__cmdop_nonce" "$2" "$3" "$__cmdop_nonce" \\
    "$__cmdop_bell" >/dev/tty
}

# What shows the marks, put back where somebody took it away. PS1 and PROMPT_COMMAND may be exported, these names are not.
__cmdop_install() {
  \\builtin local prompt='\\[\${__cmdop_nonce:+\${__cmdop_osc}B;cmdop=\${__cmdop_nonce};$?;;\${__cmdop_nonce}\${__cmdop_bell}}\\]'
  # It also puts PROMPT_COMMAND back, for who takes it and PS1 away in one command; what that says is not looked at.
  \\builtin local typed='\${__cmdop_nonce:+\${__cmdop_osc}C;cmdop=\${__cmdop_nonce};;\${PROMPT_COMMAND:=\${__cmdop_hook}};\${__cmdop_nonce}\${__cmdop_bell}}'
  \\builtin local hook='"\${__cmdop_hook-:}"'
  [[ \${PS1-} == *"$prompt" ]] || PS1="\${PS1-}$prompt"
  [[ \${PS0-} == *"$typed" ]] || PS0="\${PS0-}$typed"
  \\builtin local last=$(( \${#PROMPT_COMMAND[@]} > 0 ? \${#PROMPT_COMMAND[@]} - 1 : 0 ))
  [[ \${PROMPT_COMMAND[last]-} == *"$hook" ]] || PROMPT_COMMAND[last]="\${PROMPT_COMMAND[last]:+\${PROMPT_COMMAND[last]}$'\\n'}$hook"
}

__cmdop_prompt() {
  \\builtin set -- "$?"
  { __cmdop_install; __cmdop_mark A '' "$PWD"; } 2>/dev/null
  \\builtin return "$1"
}

__cmdop_begin() {
  __cmdop_command= __cmdop_id= __cmdop_hidden=1
  \\builtin . ${quote(commandFile)}
  \\builtin export -n __cmdop_command __cmdop_id __cmdop_hidden
  # In the place of the line that was typed, if bash has kept that.
  if [[ -o history && ! ( $__cmdop_command == ' '* && \${HISTCONTROL-} == *ignore[sb]* ) ]]; then
    \\builtin history -s -- "$__cmdop_command"
    [[ $__cmdop_hidden == 0 ]] || \\builtin history -d -1
  fi
  __cmdop_mark C "$__cmdop_id" ''
  \\builtin return "$1"
}

__cmdop_end() {
  __cmdop_mark D "$1" "$PWD"
  __cmdop_install
  \\builtin return "$1"
}

__cmdop_key() {
  READLINE_LINE=$__cmdop_line READLINE_POINT=\${#__cmdop_line}
}

for __cmdop_keymap in emacs vi-insert vi-command; do
  \\builtin bind -m "$__cmdop_keymap" -x '"${KEY}": __cmdop_key'
done
\\builtin unset __cmdop_keymap
__cmdop_install
`
}
