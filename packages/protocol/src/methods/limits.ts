/** Bytes of one JSON answer at most. */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024
