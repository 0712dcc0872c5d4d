/** Words in the name of a variable that say its value is a secret. */
const words =
  'API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SIGNING_?KEY|ENCRYPTION_?KEY|SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|CONNECTION_?STRING|DATABASE_URL|DSN'

/** A name that ends in one of the words, or has one before `_ID`-like endings that hold no secret. */
const name = `(?:[A-Za-z0-9]+[_.-])*(?:${words})(?:[_.-][A-Za-z0-9]+)*`

const whole = new RegExp(`^${name}$`, 'i')

/** Endings of names that speak about a secret without holding it. */
const harmless = /[_.-](?:FILE|PATH|DIR|NAME|ID|TYPE|URI_?PREFIX|EXPIRES?(?:_?(?:IN|AT))?|TTL|COUNT|LIMIT|LENGTH)$/i

/** Whether the name of a variable looks as if its value were a secret: `DB_PASSWORD`, `github_token`. */
export function isSecretName(candidate: string): boolean {
  return whole.test(candidate) && !harmless.test(candidate)
}

/** A name with what stands between it and its value. Bounded, so that no text takes more than linear time. */
const named = /(?<![A-Za-z0-9_.-])([A-Za-z0-9][A-Za-z0-9_.-]{0,127})["']?\s{0,4}[=:]\s{0,4}/g

/** A value in quotes, which are escaped within JSON, or without. */
const valued = /\\"((?:[^"\\\n]|\\[^"\n]){1,8192})\\"|"([^"\n]{1,8192})"|'([^'\n]{1,8192})'|((?!\\")[^\s"',;]{1,8192})/y

/** A text without one of these has no such assignment, and needs no closer look. */
export function mayAssign(text: string): boolean {
  return /key|secret|token|passw|passphrase|credential|string|database|dsn/i.test(text)
}

/** A value that a text assigns to a name that looks like a secret's. */
export interface SecretAssignment {
  readonly value: string
  /** Where it begins. */
  readonly start: number
}

/** What is assigned to secrets: `NAME=value`, `NAME: value`, `"name": "value"`. */
export function* assignmentsIn(text: string): Generator<SecretAssignment> {
  if (!mayAssign(text)) return
  const names = new RegExp(named)
  const values = new RegExp(valued)
  for (let match = names.exec(text); match !== null; match = names.exec(text)) {
    const [{ length }, name = ''] = match
    values.lastIndex = match.index + length
    const [, escaped, double, single, bare] = (isSecretName(name) ? values.exec(text) : null) ?? []
    const value = escaped ?? double ?? single ?? bare
    // What follows another name may itself be an assignment.
    names.lastIndex = value === undefined ? match.index + name.length : values.lastIndex
    if (value !== undefined)
      yield { value, start: match.index + length + (escaped !== undefined ? 2 : bare === undefined ? 1 : 0) }
  }
}
