/** What looks like a key: a provider's `sk-...`, or what follows `Bearer`. */
const keyLike = /\bsk-[\w-]{6,}|(?<=\bBearer\s)[\w.~+/=-]{6,}/g

/** The text without the given secrets and without anything that looks like a key. */
export function redacted(text: string, secrets: readonly string[]): string {
  const known = secrets.filter((secret) => secret.length >= 4)
  return known.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text).replace(keyLike, '[redacted]')
}
