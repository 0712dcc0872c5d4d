import { CmdopError } from '@cmdop/protocol'

/** Watches one step: it ends with its run, and when the model says nothing for too long. */
export interface StepGuard extends Disposable {
  /** Given to the model call. Its reason is a `CmdopError`. */
  readonly signal: AbortSignal
  /** The model said something. */
  touch(): void
  /** Waits for `read`, and counts silence only during it: a slow reader of our events is not a silent model. */
  during<T>(read: () => Promise<T>): Promise<T>
  /** The model's answer is complete: there is no request left to end. */
  complete(): void
}

/** Starts to watch. Disposing ends the step's request, if it is still open. */
export function guardStep(run: AbortSignal, idleTimeoutMs: number): StepGuard {
  const controller = new AbortController()
  const follow = (): void => controller.abort(run.reason)
  if (run.aborted) follow()
  else run.addEventListener('abort', follow, { once: true })
  let timer: NodeJS.Timeout | undefined
  let open = true
  const silent = (): void => controller.abort(silence(idleTimeoutMs))
  return {
    signal: controller.signal,
    touch: () => void timer?.refresh(),
    during: async (read) => {
      timer = setTimeout(silent, idleTimeoutMs)
      try {
        return await read()
      } finally {
        clearTimeout(timer)
        timer = undefined
      }
    },
    complete: () => void (open = false),
    [Symbol.dispose]: () => {
      run.removeEventListener('abort', follow)
      if (open) controller.abort(new CmdopError('cancelled', 'The step ended.'))
    },
  }
}

function silence(idleTimeoutMs: number): CmdopError {
  return new CmdopError(
    'model',
    `The model's server sent nothing for ${idleTimeoutMs / 1000} s. Check the server, or allow more with idleTimeoutMs.`,
    { details: { idleTimeoutMs } },
  )
}
