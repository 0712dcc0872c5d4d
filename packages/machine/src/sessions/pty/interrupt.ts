import { loadLibc } from '../../exec/spawn/libc.ts'

/** Larger than `struct termios` of glibc on any machine (60 bytes). */
const TERMIOS_BYTES = 256

/** Where `c_lflag` and `c_cc` are in it, and which characters of the latter are signals: VINTR, VQUIT, VSUSP. */
const LOCAL_FLAGS_AT = 12
const CHARACTERS_AT = 17
const SIGNAL_CHARACTERS = [0, 1, 10]

/** Of `<termios.h>`: characters are signals; a signal drops no input; a character that is none. */
const ISIG = 0o1
const NOFLSH = 0o200
const DISABLED = 0

const TCIFLUSH = 0
const TCOFLUSH = 1

/**
 * Drops the input that the programs on a terminal have not read, if one of these bytes is a signal there, as `^C` mostly is.
 * The line discipline does the same, but only when it gets to see the byte: never, while a program does not read what
 * was pasted before it. False where it is no signal, or the system cannot tell.
 */
export function interruptInput(terminal: { master: number; slave: number }, data: Uint8Array): boolean {
  const libc = loadLibc()
  const termios = Buffer.alloc(TERMIOS_BYTES)
  if (libc === undefined || libc.tcgetattr(terminal.slave, termios) !== 0) return false
  const flags = termios.readUInt32LE(LOCAL_FLAGS_AT)
  if ((flags & ISIG) === 0 || (flags & NOFLSH) !== 0) return false
  const signals = SIGNAL_CHARACTERS.map((index) => termios[CHARACTERS_AT + index] ?? DISABLED)
  if (!signals.some((character) => character !== DISABLED && data.includes(character))) return false
  // What the kernel holds between the two ends, then what the program could have read.
  libc.tcflush(terminal.master, TCOFLUSH)
  libc.tcflush(terminal.slave, TCIFLUSH)
  return true
}
