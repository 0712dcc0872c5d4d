import type { Restrictions } from '@cmdop/protocol'
import type { PrincipalKind } from '../rules/rule.ts'

/** A call that somebody wants to make, as the relay knows it before it gives a permit. */
export interface PolicyCall {
  /** Name of the method, or of a tool of ours. */
  readonly tool: string
  readonly principalKind: PrincipalKind
  /** Of `exec` and `session.execute`. */
  readonly command?: string | readonly string[] | undefined
  readonly cwd?: string | undefined
  /** Variables on top of the daemon's; null removes one. */
  readonly env?: Readonly<Record<string, string | null>> | undefined
  /** Absolute paths that a method is about. */
  readonly paths?: readonly string[] | undefined
  /** Of `file.write`, `file.copy`, `file.move` and `file.symlink`: whether what is there may be replaced. Undefined: as the method does by itself. */
  readonly overwrite?: boolean | undefined
  /** Of `session.open`: it only shows what is run in it, and nobody types there. */
  readonly passive?: boolean | undefined
  readonly hosts?: readonly string[] | undefined
  /** Under which it would run; those of its session, too. */
  readonly restrictions?: Restrictions | undefined
}
