import { join } from 'node:path'
import { type Integration, type IntegrationRequest, quote } from './integration.ts'

/**
 * zsh reads its files from `ZDOTDIR`: ours, which puts the user's back and reads the user's. A command is taken over by a
 * key whose widget replaces the line and accepts it; what the editor draws meanwhile is not shown.
 */
export function zshIntegration({ nonce, folder, env }: IntegrationRequest): Integration {
  return {
    args: ['-i'],
    env: { ...env, ZDOTDIR: folder },
    files: [
      { name: '.zshenv', text: zshenv(folder, env['ZDOTDIR']) },
      { name: '.zshrc', text: zshrc(folder) },
      { name: 'integration.zsh', text: integration(nonce, join(folder, 'command')) },
    ],
    commandFile: 'command',
    commandText: ({ id, command, hidden }) =>
      `__cmdop_command=${quote(command)}\n__cmdop_id=${id}\n__cmdop_hidden=${hidden ? 1 : 0}\n`,
    keys: '\x1b[5133~',
    clearsByInterrupt: true,
    editsLines: true,
  }
}

/** The user's file may choose another `ZDOTDIR`. */
function zshenv(folder: string, dotFolder: string | undefined): string {
  return `${dotFolder === undefined ? 'unset ZDOTDIR' : `ZDOTDIR=${quote(dotFolder)}`}
if [[ -r \${ZDOTDIR:-$HOME}/.zshenv ]]; then . "\${ZDOTDIR:-$HOME}/.zshenv"; fi
__cmdop_dotdir=\${ZDOTDIR-}
typeset +x __cmdop_dotdir
ZDOTDIR=${quote(folder)}
`
}

function zshrc(folder: string): string {
  return `if [[ -n $__cmdop_dotdir ]]; then ZDOTDIR=$__cmdop_dotdir; else unset ZDOTDIR; fi
unset __cmdop_dotdir
if [[ -r \${ZDOTDIR:-$HOME}/.zshrc ]]; then . "\${ZDOTDIR:-$HOME}/.zshrc"; fi
emulate zsh -c ${quote(`. ${quote(join(folder, 'integration.zsh'))}`)}
`
}

/** Read in zsh's own emulation, which its functions keep, whatever options the user sets. */
function integration(nonce: string, commandFile: string): string {
  const line = ' __cmdop_begin "$?"; { \\builtin eval "$__cmdop_command" } always { { __cmdop_end "$?" } 2>/dev/null }'
  return `typeset -g +x __cmdop_nonce=${quote(nonce)} __cmdop_status=0 __cmdop_command= __cmdop_id= __cmdop_hidden=1
typeset -g +x __cmdop_line=${quote(line)}

__cmdop_mark() {
  \\builtin printf '\\e]133;%s;cmdop=%s;%s;%s;%s\\a' "$1" "$__cmdop_nonce" "$2" "$3" "$__cmdop_nonce" >/dev/tty
}

# What shows the marks, put back where somebody took it away.
__cmdop_install() {
  (( \${precmd_functions[(Ie)__cmdop_precmd]} )) || precmd_functions+=(__cmdop_precmd)
  (( \${preexec_functions[(Ie)__cmdop_preexec]} )) || preexec_functions+=(__cmdop_preexec)
  (( \${zshaddhistory_functions[(Ie)__cmdop_history]} )) || zshaddhistory_functions+=(__cmdop_history)
  if [[ \${widgets[zle-line-init]-} != user:__cmdop_line_init ]]; then
    [[ -z \${widgets[zle-line-init]-} ]] || \\builtin zle -A zle-line-init __cmdop_line_init_before
    \\builtin zle -N zle-line-init __cmdop_line_init
  fi
}

__cmdop_precmd() {
  __cmdop_status=$?
  __cmdop_install
  __cmdop_mark A '' "$PWD"
}

# The prompt is on the screen now.
__cmdop_line_init() {
  [[ -z \${widgets[__cmdop_line_init_before]-} ]] || \\builtin zle __cmdop_line_init_before
  __cmdop_install
  __cmdop_mark B "$__cmdop_status" ''
}

__cmdop_preexec() {
  __cmdop_mark C '' ''
}

__cmdop_history() {
  [[ $1 != ' __cmdop_'* ]]
}

__cmdop_begin() {
  __cmdop_command= __cmdop_id= __cmdop_hidden=1
  \\builtin . ${quote(commandFile)}
  typeset -g +x __cmdop_command __cmdop_id __cmdop_hidden
  if [[ $__cmdop_hidden == 0 && ( $__cmdop_command != ' '* || ! -o HIST_IGNORE_SPACE ) ]]; then
    \\builtin print -sr -- "$__cmdop_command"
  fi
  __cmdop_mark C "$__cmdop_id" ''
  \\builtin return "$1"
}

__cmdop_end() {
  # An interrupted loop of the shell does not say it by itself within eval.
  if (( \${TRY_BLOCK_INTERRUPT:-0} > 0 )); then set -- 130; fi
  __cmdop_mark D "$1" "$PWD"
  __cmdop_install
  \\builtin return "$1"
}

__cmdop_key() {
  BUFFER=$__cmdop_line
  \\builtin zle .accept-line
}

\\builtin zmodload zsh/zle zsh/parameter
\\builtin zle -N __cmdop_key
for __cmdop_keymap in emacs viins vicmd; do \\builtin bindkey -M "$__cmdop_keymap" '\\e[5133~' __cmdop_key; done
unset __cmdop_keymap
__cmdop_install
`
}
