/** Tells a client that waits for a call what the call puts out. Disposing shows the rest, and ends it. */
export interface LiveProgress extends Disposable {
  /** Takes output in. It is shown soon, or named by its length where there is too much. */
  show(text: string): void
}

/** A notification. `progress` is seconds since the call began, and grows from one to the next. */
export interface ProgressNotice {
  readonly progress: number
  readonly message: string
}

/** Milliseconds between two notifications, and most without one: many clients give up after 60 s of silence. */
const defaultPace = { everyMs: 200, beatMs: 10_000 }

/** Most characters of one notification, and of all of a call. The answer shows head and tail once more. */
const maxNotice = 4_096
const maxShown = 1_048_576

/**
 * Shows output at a pace that no client drowns in: what comes faster is cut to its end. One notification is on its way at
 * a time, and what waits for it is bounded; the command never waits.
 */
export function startLiveProgress(
  send: (notice: ProgressNotice) => Promise<void>,
  { everyMs, beatMs } = defaultPace,
): LiveProgress {
  const started = performance.now()
  let waiting = ''
  let left = 0
  let shown = 0
  let lastSent = started
  let isSending = false
  const take = (): string => {
    const gap = left === 0 ? '' : `[... ${left} characters are left out here ...]\n`
    const text = waiting === '' && left === 0 ? 'still running' : gap + waiting
    shown += waiting.length
    waiting = ''
    left = 0
    return text
  }
  const tick = (): void => {
    const now = performance.now()
    const isDue = waiting === '' ? now - lastSent >= beatMs : true
    if (!isSending && isDue) notify(now)
  }
  const notify = (now = performance.now()): void => {
    isSending = true
    lastSent = now
    // A client that is gone, or takes none, has its answer to look at.
    const settle = (): void => void (isSending = false)
    send({ progress: (now - started) / 1000, message: take() }).then(settle, settle)
  }
  const timer = setInterval(tick, everyMs)
  let isFirst = true
  return {
    show: (text) => {
      const room = Math.max(0, Math.min(maxNotice, maxShown - shown))
      const all = waiting + text
      waiting = room === 0 ? '' : all.slice(-room)
      left += all.length - waiting.length
      if (isFirst) tick()
      isFirst = false
    },
    [Symbol.dispose]: () => {
      clearInterval(timer)
      // Before the answer, which is sent next.
      if (waiting !== '') notify()
    },
  }
}
