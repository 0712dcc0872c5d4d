import { join } from 'node:path'
import { type Integration, type IntegrationRequest, quote } from './integration.ts'

/**
 * A POSIX shell, as dash is one, reads the file that `ENV` names: ours, which puts the user's back and reads it. All it has
 * for hooks is its prompt. A command is taken over by a line that is typed; that line is not shown.
 */
export function posixIntegration({ nonce, folder, env }: IntegrationRequest): Integration {
  return {
    args: ['-i'],
    env: { ...env, ENV: join(folder, 'shrc') },
    files: [{ name: 'shrc', text: shrc(nonce, join(folder, 'command'), env['ENV']) }],
    commandFile: 'command',
    commandText: ({ id, command }) => `__cmdop_command=${quote(command)}\n__cmdop_id=${id}\n`,
    keys: ' __cmdop_begin "$?"; \\eval "$__cmdop_command"; __cmdop_end "$?" 2>/dev/null\n',
    clearsByInterrupt: true,
    editsLines: false,
  }
}

/** The marks in `PS1` are made of variables, so that `set`, which prints them as they are, prints no mark. */
function shrc(nonce: string, commandFile: string, env: string | undefined): string {
  return `${env === undefined ? 'unset ENV' : `ENV=${quote(env)}; export ENV\nif [ -r "$ENV" ]; then . "$ENV"; fi`}

__cmdop_nonce=${quote(nonce)}
__cmdop_osc=$(printf '\\033]133;')
__cmdop_bell=$(printf '\\007')
__cmdop_before='\${__cmdop_nonce:+\${__cmdop_osc}A;cmdop=\${__cmdop_nonce};;\${PWD-};\${__cmdop_nonce}\${__cmdop_bell}}'
__cmdop_after='\${__cmdop_nonce:+\${__cmdop_osc}B;cmdop=\${__cmdop_nonce};$?;;\${__cmdop_nonce}\${__cmdop_bell}}'

__cmdop_mark() {
  \\command printf '%s%s;cmdop=%s;%s;%s;%s%s' "$__cmdop_osc" "$1" "$__cmdop_nonce" "$2" "$3" "$__cmdop_nonce" "$__cmdop_bell" >/dev/tty
}

__cmdop_install() {
  case \${PS1-} in
    "$__cmdop_before"*"$__cmdop_after") ;;
    *) PS1="$__cmdop_before\${PS1-}$__cmdop_after" ;;
  esac
}

__cmdop_begin() {
  # Not exported, also by who exports everything.
  case $- in *a*) set +a -- "$1" a ;; esac
  __cmdop_command= __cmdop_id=
  if [ -r ${quote(commandFile)} ]; then . ${quote(commandFile)}; fi
  if [ "\${2-}" = a ]; then set -a; fi
  __cmdop_mark C "$__cmdop_id" ''
  return "$1"
}

__cmdop_end() {
  __cmdop_mark D "$1" "\${PWD-}"
  __cmdop_install
  return "$1"
}

__cmdop_install
`
}
