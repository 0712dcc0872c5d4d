import {
  type Channel,
  SessionAttached,
  SessionEnd,
  sessionLanes,
  SessionNotice,
  type SessionRequest,
  SNAPSHOT_HEADER_BYTES,
} from '@cmdop/protocol'

/** A snapshot as it arrived. */
export interface ReceivedSnapshot {
  readonly offset: number
  readonly columns: number
  readonly rows: number
  readonly paint: string
}

/** The client's side of an attached channel, raw. */
export class TestParticipant {
  readonly channel: Channel
  readonly notices: SessionNotice[] = []
  readonly snapshots: ReceivedSnapshot[] = []
  readonly over: Promise<void>
  #output: Buffer[] = []
  /** Output and painted screens. */
  #shown: Buffer[] = []
  #bytes = 0
  #bytesSinceSnapshot = 0
  #snapshotParts: Buffer = Buffer.alloc(0)
  #changed = Promise.withResolvers<void>()
  #error: unknown
  #isOver = false
  #paused: Promise<void> | undefined

  private constructor(channel: Channel) {
    this.channel = channel
    channel.onControl = (message) => {
      this.notices.push(SessionNotice.parse(message))
      this.#wake()
    }
    this.over = this.#read().catch((error: unknown) => {
      this.#error = error
    })
    void this.over.then(() => {
      this.#isOver = true
      this.#wake()
    })
  }

  /** Rejects with what the machine refuses the channel with. */
  static async join(channel: Channel): Promise<TestParticipant> {
    const participant = new TestParticipant(channel)
    await channel.accepted
    await participant.until('it is attached', () => participant.notices.length > 0)
    return participant
  }

  get id(): string {
    return this.channel.open.callId
  }

  get attached(): SessionAttached {
    return SessionAttached.parse(this.notices[0])
  }

  /** All output after the snapshot. */
  get output(): Buffer {
    return Buffer.concat(this.#output)
  }

  get bytes(): number {
    return this.#bytes
  }

  get text(): string {
    return this.output.toString()
  }

  /** Offset of the next byte of output. */
  get offset(): number {
    return (this.snapshots.at(-1)?.offset ?? this.attached.offset) + this.#bytesSinceSnapshot
  }

  /** How the session ended. Rejects with what reset the channel. */
  async end(): Promise<SessionEnd> {
    await this.over
    if (this.#error !== undefined) throw this.#error
    await this.channel.end()
    return SessionEnd.parse(await this.channel.finished)
  }

  async type(text: string): Promise<void> {
    await this.channel.send(sessionLanes.input, Buffer.from(text))
  }

  ask(request: SessionRequest): Promise<void> {
    return this.channel.control(request)
  }

  /** Reads nothing until the answer is called. */
  pause(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#paused = promise
    return resolve
  }

  /** Resolves when a snapshot or the output shows this. */
  shows(text: string): Promise<void> {
    let next = 0
    let seen = ''
    return this.until(`it shows ${JSON.stringify(text)}`, () => {
      for (let piece = this.#shown[next]; piece !== undefined; piece = this.#shown[next]) {
        next += 1
        seen = seen.slice(-text.length) + piece.toString()
        if (seen.includes(text)) return true
      }
      return false
    })
  }

  /** Resolves with the first notice that fits. */
  async hears<Type extends SessionNotice['type']>(
    type: Type,
    fits: (notice: Extract<SessionNotice, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<SessionNotice, { type: Type }>> {
    const find = () =>
      this.notices.find(
        (notice): notice is Extract<SessionNotice, { type: Type }> =>
          notice.type === type && fits(notice as Extract<SessionNotice, { type: Type }>),
      )
    await this.until(`it hears ${type}`, () => find() !== undefined)
    return find() as Extract<SessionNotice, { type: Type }>
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#error !== undefined) throw this.#error
      if (this.#isOver) throw new Error(`Expected that ${what}; it is over. ${JSON.stringify(this.text.slice(-500))}`)
      await this.#changed.promise
    }
  }

  async #read(): Promise<void> {
    for await (const { lane, data } of this.channel) {
      if (lane === sessionLanes.output) {
        const piece = Buffer.from(data)
        this.#output.push(piece)
        this.#shown.push(piece)
        this.#bytes += data.length
        this.#bytesSinceSnapshot += data.length
      } else this.#takeSnapshot(data)
      this.#wake()
      await this.#paused
    }
  }

  #takeSnapshot(data: Uint8Array): void {
    const whole = Buffer.concat([this.#snapshotParts, data])
    const length = whole.length < SNAPSHOT_HEADER_BYTES ? Infinity : whole.readUInt32BE(8)
    this.#snapshotParts = whole
    if (whole.length < SNAPSHOT_HEADER_BYTES + length) return
    this.#snapshotParts = Buffer.alloc(0)
    this.#bytesSinceSnapshot = 0
    this.snapshots.push({
      offset: Number(whole.readBigUInt64BE(0)),
      columns: whole.readUInt16BE(12),
      rows: whole.readUInt16BE(14),
      paint: whole.subarray(SNAPSHOT_HEADER_BYTES).toString(),
    })
    this.#shown.push(whole.subarray(SNAPSHOT_HEADER_BYTES))
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
