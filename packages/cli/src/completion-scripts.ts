/**
 * What each shell loads to complete `cmdop`. It asks `cmdop complete -- <words>`, whose lines are `<value>\t<description>`, with `:<number>`
 * last, which is for other programs. Words are whatever somebody has typed or pasted and not yet run: they are handed on as they stand, in one
 * argument each, and no shell reads them, nor an answer, a second time.
 */
export const completionScripts = {
  bash: `# bash completion for cmdop
__cmdop_complete() {
    local cur words cword line value typed
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n '=:' cur words cword
    else
        # Without the package bash-completion, words with = or : in them are not completed.
        words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD cur=\${COMP_WORDS[COMP_CWORD]}
    fi
    words[cword]=$cur
    typed=$cur
    # Of --option=value, bash replaces the value alone.
    [[ $cur == -*=* ]] && typed=\${cur#*=}
    COMPREPLY=()
    while IFS= read -r line; do
        value=\${line%%$'\\t'*}
        [[ -n $value && $value != :* && $value == "$typed"* ]] && COMPREPLY+=("$value")
    done < <(command cmdop complete -- "\${words[@]:1:cword}" 2>/dev/null)
}
complete -F __cmdop_complete cmdop
`,
  fish: `# fish completion for cmdop
function __cmdop_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    # Of --option=value, fish replaces all.
    set -l option (string match -r -- '^-[^=]*=' "$typed")
    for line in (command cmdop complete -- $words[2..-1] "$typed" 2>/dev/null)
        string match -q -- ':*' "$line"
        or printf '%s%s\\n' "$option" "$line"
    end
end
complete -c cmdop -e
complete -c cmdop -f -a '(__cmdop_complete)'
`,
  zsh: `#compdef cmdop
# zsh completion for cmdop
_cmdop() {
    local line value
    local -a found
    for line in "\${(@f)$(command cmdop complete -- "\${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
        [[ -z $line || $line == :* ]] && continue
        value=\${line%%$'\\t'*}
        found+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
    done
    # Of --option=value, the value alone is replaced.
    [[ $PREFIX == -*=* ]] && compset -P 1 '*='
    _describe 'cmdop' found
}
# As a file that zsh finds by itself, this is the function; elsewhere it is read once.
if [[ \${funcstack[1]} == _cmdop ]]; then
    _cmdop
else
    compdef _cmdop cmdop
fi
`,
} as const

/** Shells that can complete. */
export const completionShells = Object.keys(completionScripts) as readonly (keyof typeof completionScripts)[]
