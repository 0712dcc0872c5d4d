/** Where a view has the directory that it shares with others. What is in /dev is of the view alone, and never an effect. */
export const SHARED_FOLDER = '/dev/shm/cmdop'

/** What a host is told to build, once, before anything runs in it. Sent as JSON over the IPC channel, never as arguments. */
export interface HostPlan {
  /**
   * `overlay`: changes go to upper directories. `readOnly`: nothing can be changed. `live`: as `readOnly`, but what is below
   * `writable` is the real disk. `none`: the machine's own files, with fewer rights.
   */
  readonly view: 'overlay' | 'readOnly' | 'live' | 'none'
  /** Mounts as root, or in a user namespace of an ordinary user; `none` = no namespaces (tier B). */
  readonly privilege: 'root' | 'user' | 'none'
  /** State folder of this view; empty but for what the starter put there. */
  readonly state: string
  /** Directories that the view covers with nothing. */
  readonly hidden: readonly string[]
  /** With `overlay`, where given: only below these, changes are possible. With `live`: what is writable. */
  readonly writable?: readonly string[]
  /** For an ordinary user: what may get an upper directory. */
  readonly roots: readonly string[]
  /** Directories whose changes vanish with the view, whatever it is. */
  readonly scratch: readonly string[]
  /**
   * A directory outside that commands write to at {@link SHARED_FOLDER}, whatever else is read-only, and that is no part of the
   * changes: every view that is given it has the same one. With the view `none` it is where it is.
   */
  readonly shared?: string
  readonly network: 'none' | 'host'
  /** The starter's network namespace, as `readlink /proc/self/ns/net` gives it. */
  readonly outerNetwork: string
  readonly user?: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] }
  readonly noNewPrivileges: boolean
  /** Numbers of the capabilities that commands keep; absent = those of the starter, and no filter: no restriction is of rights. */
  readonly capabilities?: readonly number[]
  /** Rules of Landlock; absent = none. */
  readonly landlock?: LandlockPlan
  /** System calls that are refused beside those that always are. */
  readonly deny: readonly ('unix-sockets' | 'all-sockets' | 'metadata' | 'truncate')[]
  /** Layers that are left out, to prove in a test that each is needed. */
  readonly without?: readonly Layer[]
}

export interface LandlockPlan {
  /** Version that the kernel has. */
  readonly abi: number
  /** Nothing outside these can be written; absent = writing is not Landlock's matter. */
  readonly writable?: readonly string[]
  /** Neither abstract sockets nor processes outside can be reached; since version 6. */
  readonly scoped: boolean
}

/** The layers of the sandbox, each of which a test takes out. */
export const layers = [
  'descriptors',
  'no-new-privileges',
  'io-uring',
  'unix-sockets',
  'state-mask',
  'capabilities',
  'wrong-abi',
  'mount-calls',
  'kernel-files',
] as const
export type Layer = (typeof layers)[number]

/** What the host says when its view stands and has proven itself. */
export interface ViewReport {
  /** Thread of the host that is in the view, by its id in the starter's process namespace. */
  readonly thread: number
  readonly layers: readonly { readonly root: string; readonly upper: string }[]
  readonly unpreviewable: readonly { readonly path: string; readonly why: string }[]
}

/** What to start in the view. */
export interface ProgramRequest {
  readonly id: number
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Absent: over pipes, whose ends come over the descriptor socket. */
  readonly terminal?: { readonly columns: number; readonly rows: number }
  /** Of pipes: whether there is one for the input. */
  readonly stdin: boolean
  readonly limits?: ProgramLimits
  /** Its end is that of everything in the view: what lives then is ended before its own end is told. */
  readonly freezeAtEnd?: boolean
}

/** See `ResourceLimits` of the protocol. */
export interface ProgramLimits {
  readonly cpuSeconds?: number | undefined
  readonly memoryBytes?: number | undefined
  readonly processes?: number | undefined
  readonly openFiles?: number | undefined
}

/** From the starter to the host. */
export type HostCommand =
  | { readonly type: 'view'; readonly plan: HostPlan }
  | { readonly type: 'start'; readonly request: ProgramRequest }
  | { readonly type: 'kill'; readonly pid: number; readonly signal: NodeJS.Signals }
  /** Ends everything; from then on nothing is started. */
  | { readonly type: 'freeze' }
  /** Programs may be started again. */
  | { readonly type: 'thaw' }

/** In the place of an errno: nothing is started while the changes are looked at. */
export const FROZEN = 'frozen'

/** What there was when everything in the view was ended. */
export interface Frozen {
  /** Processes that lived and were not the starter's. */
  readonly killed: number
  readonly networkAttempts: number
}

/** From the host to its starter. */
export type HostEvent =
  | { readonly type: 'up'; readonly pid: number }
  | { readonly type: 'ready'; readonly report: ViewReport }
  | { readonly type: 'refused'; readonly step: string; readonly errno: string }
  | { readonly type: 'started'; readonly id: number; readonly pid: number }
  | { readonly type: 'not-started'; readonly id: number; readonly errno: string }
  | { readonly type: 'exit'; readonly pid: number; readonly status: number; readonly frozen?: Frozen }
  | { readonly type: 'frozen'; readonly frozen: Frozen }
