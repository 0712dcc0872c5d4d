import { containerWrappers } from './containers.ts'
import { unwrapFind } from './find.ts'
import { prefixWrappers } from './prefixes.ts'
import { shellWrappers } from './shells.ts'
import { unwrapSsh } from './ssh.ts'
import { type Unwrap } from './unwrapped.ts'
import { unwrapXargs } from './xargs.ts'

/** Every program that is known to run others, by its name. */
export const wrappers: Readonly<Record<string, Unwrap>> = {
  ...prefixWrappers,
  ...shellWrappers,
  ...containerWrappers,
  find: unwrapFind,
  gfind: unwrapFind,
  xargs: unwrapXargs,
  ssh: unwrapSsh,
}
