/** Bytes of one frame at most, header and payload: a larger one closes the connection with `frame_too_large`. */
export const MAX_FRAME_BYTES = 1024 * 1024

/**
 * Bytes of content in one data frame at most; longer writes are split. Small, because who receives a frame that spans
 * several reads of its socket has to join it in a new buffer, and collecting those costs more than the frames: 256 MB
 * take half the time of frames of 64 KiB.
 */
export const MAX_DATA_BYTES = 8 * 1024

/** Bytes of a JSON control message at most; content is cut into pieces no smaller than this, so that it always goes whole. */
export const MAX_CONTROL_BYTES = 1024

/** A data frame costs at least this much credit, so that a flood of tiny frames is bounded too. */
export const MIN_DATA_COST = 128

/** Credit a channel starts with, and the least it is granted when a connection has little left. */
export const INITIAL_WINDOW = 64 * 1024
export const MIN_WINDOW = 4 * 1024

/** Credit outstanding on one channel and direction at most. Also how much a sender must keep to resume a lost connection. */
export const MAX_WINDOW = 2 * 1024 * 1024

/** Credit granted on one connection at most, over all channels. */
export const CONNECTION_WINDOW = 16 * 1024 * 1024

/** Open channels of one connection at most: each has {@link MIN_WINDOW} within {@link CONNECTION_WINDOW}. */
export const MAX_CHANNELS = 1024

/** Bytes that may wait for a peer that does not read, before its connection is closed with `slow_peer`. */
export const MAX_BUFFERED_BYTES = CONNECTION_WINDOW + 4 * MAX_FRAME_BYTES

/** Bytes of the trailer of an `end` frame and of the error of a `reset` frame at most. */
export const MAX_TRAILER_BYTES = 16 * 1024

/** A ping is sent when nothing was heard for this long, in milliseconds. */
export const PING_AFTER_MS = 15_000

/** A connection is closed when nothing was heard for this long, in milliseconds. */
export const DEAD_AFTER_MS = 45_000

/** The handshake must be complete within this time, in milliseconds. */
export const HELLO_WITHIN_MS = 10_000
