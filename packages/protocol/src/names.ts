import { z } from 'zod'

/** Text of one line: no control characters, no separators of lines, nothing without width, and nothing that turns the direction of writing. */
export const oneLine = /^[^\p{Cc}\u061c\u200b\u200e\u200f\ufeff\u2028-\u202e\u2066-\u2069]*$/u
export const ONE_LINE_EXPECTED = 'Expected one line without control characters.'

/**
 * What people call a thing, 120 characters at most. It stands in lists, logs and terminals of other people, so it is one line that
 * shows what it is.
 */
export const ShownName = z.string().trim().min(1).max(120).regex(oneLine, ONE_LINE_EXPECTED)
