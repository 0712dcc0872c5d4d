import { readFileSync } from 'node:fs'

/** Tells one start of the machine from the next. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}
