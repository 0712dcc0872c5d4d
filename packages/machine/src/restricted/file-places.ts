import type { EffectSummary, Permit } from '@cmdop/protocol'
import type { SandboxProcess, SandboxRequest } from '@cmdop/sandbox'

/** Where a file operation works. */
export type FilePlace =
  | { readonly kind: 'real' }
  | {
      readonly kind: 'sandbox'
      /** Of the view; another one after its changes were applied. */
      readonly id: string
      /** Whether the next operation of the same session works here too. */
      readonly lasting: boolean
      /** Starts a program in it, with its rights. Rejects with `command_not_found` or `exec_failed`. */
      spawn(request: SandboxRequest): Promise<SandboxProcess>
    }

/** Where operations work that are done in a session. */
export interface FilePlaces {
  /**
   * Gives `use` a place under the restrictions of this session: its view, or a transaction of its own that is judged and
   * applied when `use` resolves, discarded when it rejects (`restriction_violated` rejects). `effect` is what that transaction
   * changed; undefined without one, and when it changed nothing. Rejects with `not_found` unless
   * it is a running session of this principal.
   */
  enter<Result>(
    request: { readonly sessionId: string; readonly permit: Permit; readonly callId: string },
    use: (place: FilePlace) => Promise<Result>,
  ): Promise<{ readonly result: Result; readonly effect: EffectSummary | undefined }>
}
