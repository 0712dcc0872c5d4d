/** What in data looks as if it were meant for a model. */
export const suspicions = ['instruction-override', 'role-marker', 'fence', 'concealment', 'tool-request'] as const

/** One of them. */
export type Suspicion = (typeof suspicions)[number]

const patterns: Readonly<Record<Suspicion, RegExp>> = {
  'instruction-override':
    /\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}\b(?:instructions?|prompts?|rules?|restrictions?|guidelines|directives)\b|\bnew instructions?\s*:|\byou are now\b[^.\n]{0,40}\b(?:mode|assistant|agent|ai|model|admin|root)\b/i,
  'role-marker':
    /<\/?(?:system|assistant|user|instructions?)>|<\|(?:im_start|im_end|system|user|assistant|eot_id)\|>|\[\/?INST\]|^\s{0,8}(?:#{1,6}\s*)?(?:system|assistant)\s*:/im,
  fence: /<\/?data-[0-9a-f]{6,}/i,
  concealment:
    /\b(?:do not|don't|never|without)\b[^.\n]{0,20}\b(?:tell|telling|inform|informing|mention|mentioning|reveal|alert)\b[^.\n]{0,30}\b(?:user|operator|human|person|anyone|owner)\b/i,
  'tool-request': /\b(?:run_command|write_file|edit_file|final_result)\b\s*(?:\(|with\b|tool\b|\{)/i,
}

/** Longest text that is looked through; what a model reads of one call is shorter. */
const maxCharacters = 200_000

/**
 * What looks like an attempt to steer the model, by kind. It changes nothing about what is allowed: it is shown to whoever
 * watches, and to the gate.
 */
export function suspicionsIn(text: string): Suspicion[] {
  const looked = text.slice(0, maxCharacters)
  return suspicions.filter((suspicion) => patterns[suspicion].test(looked))
}
