import { type ParsedScript, type SyntaxNode, forEachChild } from 'unbash'

/** Commands that set variables in ways that nobody sees from outside. */
const SETTERS = new Set(
  'read mapfile readarray printf eval source . getopts declare local typeset export readonly let unset wait set shift alias'.split(
    ' ',
  ),
)

/**
 * The variables of a script that are set in one place only, so that their value is known where that is seen; none at all
 * where anything else may set some.
 */
export function variablesSetOnce(script: ParsedScript): ReadonlySet<string> {
  const counts = new Map<string, number>()
  const count = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)
  let settable = true
  const visit = (node: SyntaxNode): void => {
    if (node.type === 'Assignment') count(node.name)
    if (node.type === 'For' || node.type === 'Select') count(node.name.value)
    if (node.type === 'Command' && (node.name?.parts !== undefined || SETTERS.has(node.name?.value ?? '')))
      settable = isPrintf(node) && settable
    if (node.type === 'ParameterExpansion' && node.operation?.operator.includes('=') === true) settable = false
    if (node.type === 'ArithmeticFor' || node.type === 'ArithmeticExpansion' || node.type === 'FileDescriptorVariable')
      settable = false
    if (node.type === 'Function' || node.type === 'Coproc') settable = false
    forEachChild(node, visit)
  }
  visit(script)
  return new Set(settable ? Array.from(counts).flatMap(([name, times]) => (times === 1 ? [name] : [])) : [])
}

/** `printf` without `-v` sets nothing. */
function isPrintf(node: SyntaxNode): boolean {
  if (node.type !== 'Command' || node.name?.parts !== undefined || node.name?.value !== 'printf') return false
  const [first] = node.args
  return first?.type === 'Word' && !first.value.startsWith('-') && !first.text.startsWith('$')
}
