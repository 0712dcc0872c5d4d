/** Shortest part of an encoding that is cut out: less would meet other text. */
const minVariant = 4

/** Shortest line of a secret of several lines (a key file) that is a secret of its own. */
const minLine = 16

/** The forms of a secret, as text whose characters are bytes. */
export interface Variants {
  /** Itself in UTF-8, escaped for JSON, and for a URL in both cases of its digits. */
  readonly plain: readonly string[]
  /** In hexadecimal, and in both alphabets of base64 at each of the three places at which it may begin in a longer text. */
  readonly encoded: readonly string[]
}

/** The forms in which a secret may stand in output. */
export function variantsOf(secret: string): Variants {
  const lines = secret.includes('\n') ? secret.split(/\r?\n/).filter((line) => line.trim().length >= minLine) : []
  const texts = [secret, ...lines]
  const bytes = texts.map((text) => Buffer.from(text))
  return { plain: distinct(texts.flatMap(plainForms)), encoded: distinct(bytes.flatMap(encodedForms)) }
}

function distinct(forms: readonly string[]): string[] {
  return [...new Set(forms.map(asBytes))].filter((form) => form.length >= minVariant)
}

function plainForms(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1)
  const url = encodeURIComponent(text)
  const strict = url.replace(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
  const plain = [
    text,
    json,
    json.replaceAll('/', '\\/'),
    asciiJson(json),
    asciiJson(json, true),
    url,
    strict,
    lowerEscapes(url),
    lowerEscapes(strict),
  ]
  const plus = [url, strict].map((each) => each.replaceAll('%20', '+'))
  return [...plain, ...plus]
}

function encodedForms(bytes: Buffer): string[] {
  const hex = bytes.toString('hex')
  return [...base64(bytes), hex, hex.toUpperCase()]
}

/** What stays the same of the base64 of a text that has 0, 1 or 2 bytes before it and any bytes after it. */
function base64(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const first = Math.ceil((before * 8) / 6)
    const last = Math.floor(((before + bytes.length) * 8) / 6)
    const stable = encoded.slice(first, last)
    return stable.length < 8 ? [] : [stable, stable.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

function lowerEscapes(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())
}

/** JSON as writers make it that keep to ASCII, with digits in either case. */
function asciiJson(json: string, upper = false): string {
  return json.replace(/[^\0-\x7f]/g, (character) => {
    const digits = character.charCodeAt(0).toString(16).padStart(4, '0')
    return `\\u${upper ? digits.toUpperCase() : digits}`
  })
}

function asBytes(text: string): string {
  return Buffer.from(text).toString('latin1')
}
