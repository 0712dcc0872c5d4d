/** Resolves when the signal aborts: ^C, SIGTERM, a closed terminal, or nobody reading stdout any more. */
export function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
