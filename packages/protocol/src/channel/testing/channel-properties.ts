import * as fc from 'fast-check'
import type { Channel } from '../channel.ts'
import { dataCost, decodeFrame, decodeJson, decodeReset, decodeWindow, encodeFrame, frameTypes } from '../frame.ts'
import { CONNECTION_WINDOW, MAX_CHANNELS, MAX_DATA_BYTES, MAX_WINDOW, MIN_WINDOW } from '../limits.ts'
import { ReceiveBudget, ReceiveWindow } from '../receive-window.ts'
import { SendWindow } from '../send-window.ts'
import { isCmdopError } from '../../errors.ts'
import { parseOpen } from '../../messages/open.ts'
import { Ledger } from './ledger.ts'
import { type MakePair, someCall, turn } from './pairs.ts'

/** Whatever is encoded is decoded as it was. */
export function checkFrameRoundTrip(numRuns: number): void {
  const type = fc.constantFrom(...Object.values(frameTypes))
  const channel = fc.oneof(
    fc.integer({ min: 0, max: 0xffffffff }),
    fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff),
  )
  const roundTrip = fc.property(type, channel, fc.uint8Array({ maxLength: 2000 }), (frameType, id, payload) => {
    const frame = decodeFrame(encodeFrame(frameType, id, payload))
    return frame.type === frameType && frame.channel === id && Buffer.from(payload).equals(frame.payload)
  })
  fc.assert(roundTrip, { numRuns })
}

/** Whatever arrives, nothing is thrown but errors of ours. */
export function checkGarbage(numRuns: number): void {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
  )
  const garbage = fc.property(bytes, (message) => {
    for (const decode of [decodeFrame, decodeWindow, decodeJson]) onlyThrowsOurs(() => decode(message))
    decodeReset(message)
    parseOpen(message)
  })
  fc.assert(garbage, { numRuns })
}

function onlyThrowsOurs(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    if (!isCmdopError(error)) throw error
  }
}

/**
 * Both ends of one direction, with everything between them delayed at random: the sender never has more than it was
 * granted, no byte of credit is lost or made, and whoever has read all can always be sent more.
 */
export function checkCredit(numRuns: number): void {
  const step = fc.record({
    does: fc.constantFrom('write', 'write', 'arrive', 'read', 'grant'),
    bytes: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 3 * MAX_DATA_BYTES })),
  })
  const credit = fc.property(fc.array(step, { maxLength: 300, size: 'max' }), fc.boolean(), (steps, isPoor) => {
    const budget = new ReceiveBudget()
    if (isPoor) while (budget.take(MAX_WINDOW) > 0);
    const line = new CreditLine(budget)
    for (const { does, bytes } of steps) line[does](bytes)
    line.drain()
    if (line.sender.fits(1) === 0) throw new Error('The sender waits although all is read.')
  })
  fc.assert(credit, { numRuns })
}

class CreditLine {
  readonly receiver: ReceiveWindow
  readonly sender: SendWindow
  /** Costs of frames on their way, of frames that wait for the reader, and grants on their way. */
  readonly #frames: number[] = []
  readonly #unread: number[] = []
  readonly #grants: number[] = []
  #granted: number

  constructor(budget: ReceiveBudget) {
    this.receiver = new ReceiveWindow(budget)
    this.sender = new SendWindow(this.receiver.initial)
    this.#granted = this.receiver.initial
  }

  write(bytes: number): void {
    for (let left = bytes; left > 0;) {
      const piece = this.sender.fits(left)
      if (piece === 0) return
      this.sender.spend(piece + 1)
      if (this.sender.credit < 0) throw new Error('The sender spent more than it had.')
      this.#frames.push(dataCost(piece + 1))
      left -= piece
    }
  }

  arrive(): void {
    const cost = this.#frames.shift()
    if (cost === undefined) return
    this.receiver.arrived(cost)
    this.#unread.push(cost)
  }

  read(): void {
    const cost = this.#unread.shift()
    if (cost === undefined) return
    const granted = this.receiver.consumed(cost)
    this.#granted += granted - cost
    if (granted > 0) this.#grants.push(granted)
    if (this.#granted > MAX_WINDOW) throw new Error('More is granted than a channel may have.')
  }

  grant(): void {
    const bytes = this.#grants.shift()
    if (bytes !== undefined) this.sender.grant(bytes)
  }

  drain(): void {
    while (this.#frames.length > 0) this.arrive()
    while (this.#unread.length > 0) this.read()
    while (this.#grants.length > 0) this.grant()
  }
}

/** However channels come, grow and go: what they have together stays within the connection's window, and each has its own. */
export function checkBudget(numRuns: number): void {
  const step = fc.record({
    does: fc.constantFrom('open', 'open', 'open many', 'grow', 'grow', 'release'),
    which: fc.nat({ max: MAX_CHANNELS }),
  })
  const shared = fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
    const budget = new ReceiveBudget()
    const windows: { window: ReceiveWindow; size: number }[] = []
    const open = (): void => {
      const window = new ReceiveWindow(budget)
      if (windows.push({ window, size: window.initial }) > MAX_CHANNELS) windows.pop()?.window.release()
    }
    for (const { does, which } of steps) {
      const index = which % Math.max(windows.length, 1)
      const chosen = windows[index]
      if (does === 'open') open()
      else if (does === 'open many') for (let i = 0; i < which; i += 1) open()
      else if (chosen !== undefined && does === 'release') windows.splice(index, 1)[0]?.window.release()
      else if (chosen !== undefined) readAll(chosen)
      checkSizes(windows.map(({ size }) => size))
    }
    for (const { window } of windows) window.release()
    if (budget.take(4) === 0 || new ReceiveWindow(new ReceiveBudget()).initial > new ReceiveWindow(budget).initial) {
      throw new Error('Something of the budget was not given back.')
    }
  })
  fc.assert(shared, { numRuns })
}

function readAll(channel: { window: ReceiveWindow; size: number }): void {
  channel.window.arrived(channel.size)
  channel.size += channel.window.consumed(channel.size) - channel.size
}

function checkSizes(sizes: number[]): void {
  const total = sizes.reduce((sum, size) => sum + size, 0)
  if (total > CONNECTION_WINDOW) throw new Error(`${total} bytes are granted on one connection.`)
  if (sizes.some((size) => size < MIN_WINDOW || size > MAX_WINDOW))
    throw new Error('A channel has too little or too much.')
}

/** One direction of a channel: what is written, and how its reader dawdles. */
interface StreamPlan {
  readonly pieces: readonly { lane: number; bytes: number }[]
  /** The writer waits for each piece, or gives all at once and ends. */
  readonly isPatient: boolean
  /** Turns the reader waits after each message, over and over; a small number is in microtasks. */
  readonly pauses: readonly number[]
}

interface ChannelPlan {
  readonly up: StreamPlan
  readonly down: StreamPlan
}

/**
 * Several channels at once, both ways, with random pieces, lanes and readers: each lane's bytes arrive as they were
 * written, lanes in the order of the writes, within what was granted; and every channel ends.
 */
export async function checkStreams(makePair: MakePair, numRuns: number): Promise<void> {
  const streams = fc.asyncProperty(
    fc.array(channelPlan, { minLength: 1, maxLength: 4, size: 'max' }),
    async (plans) => {
      await runStreams(makePair, plans)
    },
  )
  await fc.assert(streams, { numRuns })
}

const bytes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 200 }) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 5000 }) },
  { weight: 1, arbitrary: fc.integer({ min: MAX_DATA_BYTES - 200, max: 3 * MAX_DATA_BYTES }) },
)
const streamPlan: fc.Arbitrary<StreamPlan> = fc.record({
  pieces: fc.array(fc.record({ lane: fc.integer({ min: 0, max: 255 }), bytes }), { maxLength: 25, size: 'max' }),
  isPatient: fc.boolean(),
  pauses: fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 5 }),
})
const channelPlan: fc.Arbitrary<ChannelPlan> = fc.record({ up: streamPlan, down: streamPlan })

async function runStreams(makePair: MakePair, plans: readonly ChannelPlan[]): Promise<void> {
  const ledgers = { dialer: new Ledger(), acceptor: new Ledger() }
  const answers: Promise<void>[] = []
  await using pair = await makePair({
    wrap: (transport, role) => ledgers[role].watch(transport),
    onChannel: (channel) => {
      channel.accept()
      const plan = plans[Number(channel.open.params.index)]
      if (plan !== undefined)
        answers.push(runEnd(channel, { write: plan.down, read: plan.up, ledger: ledgers.acceptor }))
    },
  })
  const calls = plans.map((plan, index) => {
    const channel = pair.dialer.open({ ...someCall, params: { index } })
    return runEnd(channel, { write: plan.up, read: plan.down, ledger: ledgers.dialer })
  })
  await Promise.all(calls)
  await Promise.all(answers)
  const violations = [...ledgers.dialer.violations, ...ledgers.acceptor.violations]
  if (violations.length > 0) throw new Error(violations.join('\n'))
}

async function runEnd(channel: Channel, does: { write: StreamPlan; read: StreamPlan; ledger: Ledger }): Promise<void> {
  const [received] = await Promise.all([readStream(channel, does), writeStream(channel, does.write)])
  const written = lanesOf(does.read.pieces.map(({ lane, bytes }, index) => ({ lane, data: content(index, bytes) })))
  if (written.order !== received.order) throw new Error(`Expected lanes ${written.order}, got ${received.order}.`)
  for (const [lane, expected] of written.lanes) {
    if (!received.lanes.get(lane)?.equals(expected)) throw new Error(`Lane ${lane} has other bytes than were written.`)
  }
  const trailer = await channel.finished
  if (trailer !== does.read.pieces.length) throw new Error(`Expected the trailer, got ${String(trailer)}.`)
}

async function writeStream(channel: Channel, plan: StreamPlan): Promise<void> {
  const sent: Promise<void>[] = []
  for (const [index, piece] of plan.pieces.entries()) {
    const sending = channel.send(piece.lane, content(index, piece.bytes))
    sent.push(sending)
    if (plan.isPatient) await sending
  }
  await channel.end(plan.pieces.length)
  await Promise.all(sent)
}

async function readStream(channel: Channel, does: { read: StreamPlan; ledger: Ledger }): Promise<Received> {
  const messages: { lane: number; data: Uint8Array }[] = []
  for await (const message of channel) {
    does.ledger.read(channel.id, message.data.length)
    const pause = does.read.pauses[messages.push(message) % does.read.pauses.length] ?? 0
    if (pause > 10) await turn()
    else for (let i = 0; i < pause; i += 1) await Promise.resolve()
  }
  return lanesOf(messages)
}

interface Received {
  /** Each run of one lane with its length: what was written must come in this order, however it is cut. */
  readonly order: string
  readonly lanes: Map<number, Buffer>
}

function lanesOf(messages: readonly { lane: number; data: Uint8Array }[]): Received {
  const runs: { lane: number; bytes: number }[] = []
  const parts = new Map<number, Uint8Array[]>()
  for (const { lane, data } of messages) {
    const last = runs.at(-1)
    if (last?.lane === lane) last.bytes += data.length
    else runs.push({ lane, bytes: data.length })
    parts.set(lane, [...(parts.get(lane) ?? []), data])
  }
  const lanes = new Map([...parts].map(([lane, list]) => [lane, Buffer.concat(list)]))
  return { order: runs.map(({ lane, bytes }) => `${lane}:${bytes}`).join(' '), lanes }
}

/** Bytes that differ from piece to piece and within one. */
function content(index: number, length: number): Uint8Array {
  const start = (index * 7919) % 65_521
  return pattern.subarray(start, start + length)
}

const pattern = Uint8Array.from({ length: 65_521 + 4 * MAX_DATA_BYTES }, (_, i) => Math.imul(i, 2654435761) >>> 23)
