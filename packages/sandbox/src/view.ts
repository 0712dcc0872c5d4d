/** One overlay of a view: what it covers, and where its changes are kept. */
export interface ViewLayer {
  /** Real directory that it covers, absolute: `/`, `/home/ann`. Layers may nest where the real disk has another mount. */
  readonly root: string
  /** Upper directory of the overlay; its own attributes were made those of the root. */
  readonly upper: string
}

/**
 * Changes that commands made beside the real disk. The upper directories and the real disk say all of it, so neither the
 * mounts nor the host need be alive; a view that is applied must be frozen: its processes dead.
 */
export interface View {
  /** Id of the transaction, also of its effect: `[A-Za-z0-9_-]{1,64}`. */
  readonly id: string
  /** State folder of the transaction, mode 0700, not to be seen in the view. */
  readonly folder: string
  readonly layers: readonly ViewLayer[]
  /** Where overlayfs keeps its notes: `trusted.overlay.*` of a mount by root, `user.overlay.*` with `userxattr`. */
  readonly flavour: 'trusted' | 'user'
  /** File made before the first command; what changed on the real disk after its ctime is drift. It holds the boot id. */
  readonly marker: string
  /** Process 1 of the view while its host lives; `/proc/<hostPid>/root` is the merged tree. */
  readonly hostPid?: number
  /** What stayed read-only in the view. */
  readonly unpreviewable?: readonly { readonly path: string; readonly why: string }[]
}
