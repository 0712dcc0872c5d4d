/** Characters of what one machine said, and of what all did, in one rendered report. */
const EACH = 64 * 1024
const ALL = 16 * 1024 * 1024

/**
 * What is shown of texts in one report, so that it stays a file that one can open, whatever many machines have said: the beginning
 * and the end of each, and from some text on none. What is left out is said.
 */
export function createShownText({ each = EACH, all = ALL }: { each?: number; all?: number } = {}): (
  text: string,
) => string {
  let left = all
  return (text) => {
    if (text.length > 0 && left <= 0)
      return `[${text.length} characters are left out here: the report is too large. The JSON of it has them.]`
    const shown = shortened(text, Math.min(each, left))
    left -= shown.length
    return shown
  }
}

function shortened(text: string, most: number): string {
  if (text.length <= most) return text
  const half = Math.floor(most / 2)
  const head = text.slice(0, half).toWellFormed()
  const tail = text.slice(text.length - half).toWellFormed()
  return `${head}\n[${text.length - 2 * half} characters are left out here]\n${tail}`
}
