import { join } from 'node:path'
import type { Integration, IntegrationRequest } from './integration.ts'

/**
 * fish reads ours after its own files. A command is taken over by a key that replaces the command line and executes it; what
 * fish draws meanwhile is not shown. The line begins with a space: fish does not keep it in its history.
 */
export function fishIntegration({ nonce, folder, env }: IntegrationRequest): Integration {
  const file = join(folder, 'integration.fish')
  return {
    args: ['--interactive', '--init-command', `source ${quoteFish(file)}`],
    env,
    files: [{ name: 'integration.fish', text: integration(nonce, join(folder, 'command')) }],
    commandFile: 'command',
    commandText: ({ id, command }) => `set -g __cmdop_command ${quoteFish(command)}\nset -g __cmdop_id ${id}\n`,
    keys: '\x1b[5133~',
    clearsByInterrupt: false,
    editsLines: true,
  }
}

function integration(nonce: string, commandFile: string): string {
  return `set -g __cmdop_nonce ${quoteFish(nonce)}

function __cmdop_mark
    builtin printf '\\e]133;%s;cmdop=%s;%s;%s;%s\\a' $argv[1] $__cmdop_nonce "$argv[2]" "$argv[3]" $__cmdop_nonce
end

# The mark is a part of the prompt, whatever function somebody makes of it.
function __cmdop_install
    if not string match -q '*__cmdop_user_prompt*' -- (functions fish_prompt)
        functions -e __cmdop_user_prompt
        functions -c fish_prompt __cmdop_user_prompt
        function fish_prompt
            set -l before $status
            __cmdop_restore $before
            __cmdop_user_prompt
            __cmdop_mark B $before
        end
    end
end

function __cmdop_restore
    return $argv[1]
end

function __cmdop_on_prompt --on-event fish_prompt
    set -l before $status
    __cmdop_install
    __cmdop_mark A '' "$PWD" >/dev/tty
    return $before
end

function __cmdop_on_preexec --on-event fish_preexec
    set -l before $status
    __cmdop_mark C >/dev/tty
    return $before
end

function __cmdop_begin
    set -g __cmdop_command
    set -g __cmdop_id
    source ${quoteFish(commandFile)}
    __cmdop_mark C "$__cmdop_id" >/dev/tty
    return $argv[1]
end

function __cmdop_end
    __cmdop_mark D $argv[1] "$PWD" >/dev/tty
    return $argv[1]
end

function __cmdop_key
    commandline --replace -- ' __cmdop_begin $status; eval $__cmdop_command; __cmdop_end $status'
    commandline -f execute
end

for mode in default insert visual
    bind -M $mode \\e\\[5133~ __cmdop_key
end
__cmdop_install
`
}

/** A word in single quotes, in which fish knows these two escapes. */
function quoteFish(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
