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

const assignment = new RegExp(
  `(?<![A-Za-z0-9_.-])(${name})["']?\\s{0,4}[=:]\\s{0,4}(?:"([^"\\n]{1,8192})"|'([^'\\n]{1,8192})'|([^\\s"',;]{1,8192}))`,
  'gi',
)

/** A text without one of these has no such assignment, and needs no closer look. */
export function mayAssign(text: string): boolean {
  return /key|secret|token|passw|passphrase|credential|string|database|dsn/i.test(text)
}

/**
 * Assignments whose name may be one of a secret: `NAME=value`, `NAME: value`, `"name": "value"`. Group 1 is the name, the
 * next three are the value in double quotes, in single ones and without.
 */
export function assignmentsIn(text: string): Iterable<RegExpExecArray> {
  return mayAssign(text) ? text.matchAll(assignment) : []
}
