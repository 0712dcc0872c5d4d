/** What a session's end of the screen thread says. Ids are of screens. */
export type ScreenRequest =
  | { readonly kind: 'open'; readonly id: number; readonly columns: number; readonly rows: number }
  /** Output, next after what was sent before. Answered when it is on the screen. */
  | { readonly kind: 'write'; readonly id: number; readonly data: Uint8Array }
  | { readonly kind: 'resize'; readonly id: number; readonly columns: number; readonly rows: number }
  | { readonly kind: 'snapshot'; readonly id: number; readonly snapshotId: number; readonly history: boolean }
  | { readonly kind: 'close'; readonly id: number }

export type ScreenAnswer =
  | { readonly kind: 'written'; readonly id: number; readonly bytes: number }
  | {
      readonly kind: 'snapshot'
      readonly id: number
      readonly snapshotId: number
      readonly columns: number
      readonly rows: number
      readonly paint: Uint8Array
    }
