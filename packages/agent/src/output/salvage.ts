import { jsonrepair } from 'jsonrepair'

/** Longest text that is searched for JSON, in UTF-16 units. */
const maxText = 1_000_000

/**
 * JSON values that a text gives: its code fence, if it has just one, and the whole text. Each is parsed strictly, then repaired
 * (trailing commas, single quotes, bare keys). Prose is never read: JSON in a sentence may be an example of an answer; and what
 * never closes its brackets is not completed, because a part of a list is not the list.
 */
export function salvageJson(text: string): unknown[] {
  if (text.length > maxText) return []
  const fences = [...text.matchAll(/```[a-z0-9]*\s*\n([\s\S]*?)```/gi)].map((match) => match[1] ?? '')
  const candidates = [...(fences.length === 1 ? fences : []), text].map((candidate) => candidate.trim())
  return [...new Set(candidates)].flatMap((candidate) => (/^[[{]/.test(candidate) ? parse(candidate) : []))
}

function parse(candidate: string): unknown[] {
  try {
    return [JSON.parse(candidate)]
  } catch {
    return looksLikeData(candidate) ? repaired(candidate) : []
  }
}

/** `[see above]` and `{cpu}` are prose: data has a quote, a bracket or a key right after its first bracket. */
function looksLikeData(candidate: string): boolean {
  return balanced(candidate) !== '' && /^(?:[[{]\s*["'{[]|\{\s*\w+\s*:)/.test(candidate)
}

function repaired(candidate: string): unknown[] {
  try {
    return [JSON.parse(jsonrepair(candidate))]
  } catch {
    return []
  }
}

/** The first object or array whose brackets close; empty when none does. */
function balanced(text: string): string {
  const start = text.search(/[[{]/)
  if (start < 0) return ''
  let depth = 0
  let inString = false
  for (let index = start; index < text.length; index++) {
    const character = text[index]
    if (inString) {
      if (character === '\\') index++
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '{' || character === '[') depth++
    else if ((character === '}' || character === ']') && --depth === 0) return text.slice(start, index + 1)
  }
  return ''
}
