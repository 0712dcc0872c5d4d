import type { TerminalSize } from '@cmdop/protocol'

/** What keeps the recording of a session. Only the output has back-pressure. */
export interface SessionRecording {
  readonly id: string
  /** Bytes as they were shown, which will not change. A promise says: no more of it until that resolves. */
  output(data: Uint8Array): Promise<void> | undefined
  resized(size: TerminalSize): void
  /** Who typed how much, who may type now. */
  note(text: string): void
  /** Never rejects. */
  end(end: { readonly exitCode: number | null }): Promise<void>
}
