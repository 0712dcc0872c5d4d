import { type SimpleCommand, valueOf } from '../parse/simple-command.ts'
import type { Decided } from './decide.ts'

/** A decision for people, as `cmdop policy test` prints it: plain text, a line for each thing, without colours. */
export function renderDecision(decided: Decided): string {
  const { decision, class: name, danger, dangerReason, rule, layer, reason, commands } = decided
  const lines = [
    `${decision}: ${reason}`,
    `rule: ${rule}${layer === 'floor' || layer === 'mode' || layer === 'restriction' ? '' : ` of the ${layer}`}`,
    `class: ${name}`,
    `danger: ${danger}. ${dangerReason}`,
    ...commands.map((command, index) => `${index === 0 ? 'runs:' : '     '} ${renderCommand(command)}`),
  ]
  if (decided.deleting) lines.push('remembered: never, as it deletes')
  if (decided.permittedBy !== '') lines.push(`permitted by: ${decided.permittedBy}`)
  return lines.map(printable).join('\n')
}

/** A simple command as it would run: what is not known stands as it was typed, in angle brackets. */
function renderCommand({ words, assignments, redirections, via, on }: SimpleCommand): string {
  const parts = [
    ...assignments.map(({ name, value }) => `${name}=${value ?? '<?>'}`),
    ...words.map((word) => {
      const value = valueOf(word)
      return value === undefined ? `<${word.text}>` : quoted(value)
    }),
    ...redirections.map(({ kind, target }) => `${signs[kind]}${valueOf(target) ?? `<${target.text}>`}`),
  ]
  const place = [...via, ...on.map((host) => `on ${host}`)]
  return `${parts.join(' ')}${place.length === 0 ? '' : `   (${place.join(', ')})`}`
}

const signs = { read: '< ', write: '> ', append: '>> ', input: '<<< ' } as const

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** A command may not write to the terminal of whoever looks at it, nor turn its text around. */
function printable(line: string): string {
  return line.replaceAll(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`,
  )
}
