/** HTML that is safe to send: made by {@link html} only. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What a template takes: text is escaped, HTML is taken as it is. */
export type Part = string | number | Html | readonly Html[]

/** A piece of HTML. Whatever is put in, between tags and into quoted attributes, stays text. */
export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(
    literals.map((literal, index) => literal + (index < parts.length ? textOf(parts[index] ?? '') : '')).join(''),
  )
}

/** Text of several lines, for `pre`: line feeds and tabs stay as they are. */
export function block(text: string): Html {
  // A browser leaves out a line feed at the beginning.
  return new Html(
    `\n${text
      .split(/([\n\t])/)
      .map((piece) => (/^[\n\t]$/.test(piece) ? piece : escaped(piece)))
      .join('')}`,
  )
}

/** Text of one line with every space of it, as what others wrote is shown. */
export function exact(text: string): Html {
  return html`<span>${text}</span>`
}

function textOf(part: Part): string {
  if (part instanceof Html) return part.text
  if (typeof part === 'number') return String(part)
  return typeof part === 'string' ? escaped(part) : part.map(({ text }) => text).join('')
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** What nobody sees, what turns the direction of text, and every space but the common one. */
const HIDDEN = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u

/** Characters of HTML as entities; those that are hidden by their number, so that what is shown is all there is. */
function escaped(text: string): string {
  return Array.from(text, (character) => {
    const entity = entities[character]
    if (entity !== undefined) return entity
    if (character === ' ' || !HIDDEN.test(character)) return character
    const number = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
    // Without a quote, so that it is text in an attribute too.
    return `<mark>U+${number}</mark>`
  }).join('')
}
