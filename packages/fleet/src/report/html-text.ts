/** A piece of HTML that is safe to put into a page. */
export interface Html {
  readonly html: string
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** HTML with texts in it: whatever they say, they are no markup. Lists are put one after the other. */
export function markup(
  parts: TemplateStringsArray,
  ...values: readonly (string | number | Html | readonly Html[])[]
): Html {
  const shown = values.map((value) => {
    if (typeof value === 'string' || typeof value === 'number') return escaped(String(value))
    return 'html' in value ? value.html : value.map((each) => each.html).join('')
  })
  return { html: parts.reduce((page, part, index) => `${page}${shown[index - 1] ?? ''}${part}`) }
}

/**
 * A text as people are to see it: colours of terminals are left out, and what nobody sees or what turns the direction of text is shown
 * by its number.
 */
function escaped(text: string): string {
  return (
    text
      .toWellFormed()
      // oxlint-disable-next-line no-control-regex -- this is the one to leave out
      .replaceAll(/\u001b\[[\d;]*m/g, '')
      .replaceAll('\r\n', '\n')
      .replaceAll(/[^\P{C}\n\t]|[\p{Zl}\p{Zp}]/gu, numbered)
      .replaceAll(/[&<>"']/g, (character) => entities[character] ?? '')
  )
}

/** `⟨U+202E⟩` */
function numbered(character: string): string {
  return `\u27e8U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}\u27e9`
}
