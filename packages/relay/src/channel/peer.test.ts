import {
  CmdopError,
  createMemoryTransports,
  decodeJson,
  decodeReset,
  encodeData,
  encodeFrame,
  encodeJson,
  encodeReset,
  encodeWindow,
  type Frame,
  frameTypes,
  Link,
  MAX_CHANNELS,
  MAX_DATA_BYTES,
  MAX_FRAME_BYTES,
  MAX_WINDOW,
  Open,
} from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import { Peer, type PeerRole } from './peer.ts'
import type { RouteEnd } from './route.ts'

const EMPTY = new Uint8Array(0)
const open: Open = { method: 'exec', target: 'mch_one', params: {}, callId: 'call_one', window: 4096 }

interface FarSide {
  readonly peer: Peer
  readonly link: Link
  readonly frames: Frame[]
  readonly closedWith: () => CmdopError | undefined
}

/** A peer of the switch, and the other side of its connection. */
async function newPeer(role: PeerRole = {}): Promise<FarSide> {
  const [near, far] = createMemoryTransports()
  const frames: Frame[] = []
  let closedWith: CmdopError | undefined
  const peer = new Peer(near, role)
  const link = new Link(far, {
    hello: () => {},
    frame: (frame) => frames.push({ ...frame, payload: frame.payload.slice() }),
    closed: (error) => {
      closedWith = error
    },
  })
  peer.link.sendHello({})
  link.sendHello({})
  await delivered()
  return { peer, link, frames, closedWith: () => closedWith }
}

interface Joined {
  readonly client: FarSide
  readonly machine: FarSide
  readonly outcomes: (Uint8Array | CmdopError)[]
  readonly errors: unknown[]
  readonly decide: () => void
}

/** A client and a machine; the client's open is joined to the machine when it is decided. */
async function newPair(): Promise<Joined> {
  const machine = await newPeer()
  const outcomes: Joined['outcomes'] = []
  const errors: unknown[] = []
  const decided = Promise.withResolvers<void>()
  const role = {
    open: async (_peer: Peer, given: Open, end: RouteEnd) => {
      await decided.promise
      if (end.closed) return
      try {
        machine.peer.join(end, given, { settled: (outcome) => outcomes.push(outcome) })
      } catch (error) {
        errors.push(error)
        throw error
      }
    },
  }
  return { client: await newPeer(role), machine, outcomes, errors, decide: decided.resolve }
}

/** Everything that was sent has arrived. */
async function delivered(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
}

const of = (side: FarSide, type: number) => side.frames.filter((frame) => frame.type === type)

describe('a joined channel', () => {
  test('carries frames both ways under the ids of each side, and ends with both', async () => {
    const { client, machine, outcomes, decide } = await newPair()
    client.link.send(encodeJson(frameTypes.open, 7, open))
    decide()
    await delivered()
    const [opened] = of(machine, frameTypes.open)
    expect(opened?.channel).toBe(2)
    expect(Open.parse(decodeJson(opened?.payload ?? EMPTY))).toMatchObject({ callId: 'call_one', window: 4096 })
    machine.link.send(encodeWindow(2, 1000))
    machine.link.send(encodeData(2, 1, Buffer.from('out')))
    client.link.send(encodeData(7, 1, Buffer.from('in')))
    await delivered()
    expect(
      of(client, frameTypes.data).map(({ channel, payload }) => [channel, Buffer.from(payload).toString()]),
    ).toEqual([[7, '\x01out']])
    machine.link.send(encodeFrame(frameTypes.end, 2, Buffer.from('{}')))
    client.link.send(encodeFrame(frameTypes.end, 7, EMPTY))
    await delivered()
    expect(outcomes.map((outcome) => Buffer.from(outcome as Uint8Array).toString())).toEqual(['{}'])
    expect([client.peer.channels, machine.peer.channels]).toEqual([0, 0])
  })

  test('is reset for both when one sends more than was granted, and nothing else is', async () => {
    const { client, machine, outcomes, decide } = await newPair()
    client.link.send(encodeJson(frameTypes.open, 1, open))
    client.link.send(encodeJson(frameTypes.open, 3, { ...open, callId: 'call_other' }))
    decide()
    await delivered()
    machine.link.send(encodeData(2, 1, new Uint8Array(4096)))
    await delivered()
    for (const [side, channel] of [
      [client, 1],
      [machine, 2],
    ] as const) {
      expect(of(side, frameTypes.reset).map((frame) => [frame.channel, decodeReset(frame.payload).code])).toEqual([
        [channel, 'flow_control'],
      ])
      expect(side.peer.channels).toBe(1)
      expect(side.closedWith()).toBeUndefined()
    }
    expect(outcomes).toMatchObject([{ code: 'flow_control' }])
  })

  test('takes no more credit than a channel may have', async () => {
    const { client, machine, decide } = await newPair()
    client.link.send(encodeJson(frameTypes.open, 1, open))
    decide()
    await delivered()
    client.link.send(encodeWindow(1, MAX_WINDOW))
    await delivered()
    expect(of(machine, frameTypes.reset).map(({ payload }) => decodeReset(payload).code)).toEqual(['flow_control'])
  })

  test('passes a reset on, and its code is the outcome', async () => {
    const { client, machine, outcomes, decide } = await newPair()
    client.link.send(encodeJson(frameTypes.open, 1, open))
    decide()
    await delivered()
    machine.link.send(encodeReset(2, new CmdopError('command_not_found', 'There is none.')))
    await delivered()
    expect(of(client, frameTypes.reset).map(({ payload }) => decodeReset(payload).code)).toEqual(['command_not_found'])
    expect(outcomes).toMatchObject([{ code: 'command_not_found' }])
    expect(client.peer.channels).toBe(0)
  })

  test('whose other side is gone is reset with `connection`, which may be repeated when that is safe', async () => {
    const { client, machine, outcomes, decide } = await newPair()
    client.link.send(encodeJson(frameTypes.open, 1, open))
    decide()
    await delivered()
    machine.link.close(new CmdopError('cancelled', 'Good bye.'))
    await delivered()
    expect(of(client, frameTypes.reset).map(({ payload }) => decodeReset(payload).code)).toEqual(['connection'])
    expect(outcomes).toMatchObject([{ code: 'connection' }])
  })
})

describe('a channel that is not decided yet', () => {
  test('keeps the end of its side and the credit it grants for later', async () => {
    const { client, machine, decide } = await newPair()
    client.link.send(encodeJson(frameTypes.open, 1, open))
    client.link.send(encodeWindow(1, 1000))
    client.link.send(encodeFrame(frameTypes.end, 1, EMPTY))
    await delivered()
    decide()
    await delivered()
    expect(machine.frames.map(({ type }) => type)).toEqual([frameTypes.open, frameTypes.end])
    expect(Open.parse(decodeJson(machine.frames[0]?.payload ?? EMPTY)).window).toBe(5096)
  })

  test('and is given up is not opened at the machine any more', async () => {
    const { client, machine, decide } = await newPair()
    client.link.send(encodeJson(frameTypes.open, 1, open))
    client.link.send(encodeReset(1, new CmdopError('cancelled', 'No.')))
    await delivered()
    decide()
    await delivered()
    expect(machine.frames).toEqual([])
    expect([client.peer.channels, machine.peer.channels]).toEqual([0, 0])
  })

  test('may carry no content', async () => {
    const { client } = await newPair()
    client.link.send(encodeJson(frameTypes.open, 1, open))
    client.link.send(encodeData(1, 1, Buffer.from('early')))
    await delivered()
    expect(of(client, frameTypes.reset).map(({ payload }) => decodeReset(payload).code)).toEqual(['flow_control'])
    expect(client.closedWith()).toBeUndefined()
  })

  test('of an observer carries no input to the machine, only control', async () => {
    const { client, machine, decide } = await newPair()
    client.link.send(encodeJson(frameTypes.open, 1, { ...open, method: 'session.observe' }))
    decide()
    await delivered()
    machine.link.send(encodeWindow(2, 10_000))
    await delivered()
    client.link.send(encodeData(1, 0, Buffer.from('{}')))
    client.link.send(encodeData(1, 1, Buffer.from('typed')))
    await delivered()
    expect(of(machine, frameTypes.data).map(({ payload }) => Buffer.from(payload).toString())).toEqual(['\0{}'])
    expect(of(client, frameTypes.reset).map(({ payload }) => decodeReset(payload).code)).toEqual(['permission'])
    expect(of(machine, frameTypes.reset).map(({ payload }) => decodeReset(payload).code)).toEqual(['permission'])
  })

  test('carries no frame of content over its limit', async () => {
    const { client, machine, decide } = await newPair()
    client.link.send(encodeJson(frameTypes.open, 1, { ...open, method: 'session.attach' }))
    decide()
    await delivered()
    machine.link.send(encodeWindow(2, 100_000))
    await delivered()
    client.link.send(encodeData(1, 1, new Uint8Array(MAX_DATA_BYTES + 1)))
    await delivered()
    expect(of(machine, frameTypes.data)).toEqual([])
    expect(of(client, frameTypes.reset).map(({ payload }) => decodeReset(payload).code)).toEqual(['frame_too_large'])
  })

  test('whose call no longer fits a frame is refused, and the machine hears nothing of it', async () => {
    const { client, machine, errors, decide } = await newPair()
    // With the larger window it gets by one byte longer than a frame.
    const text = JSON.stringify({ ...open, params: { filler: '' } })
    const filler = 'x'.repeat(MAX_FRAME_BYTES - 5 - text.length)
    client.link.send(encodeJson(frameTypes.open, 1, { ...open, params: { filler } }))
    client.link.send(encodeWindow(1, 100_000))
    await delivered()
    decide()
    await delivered()
    expect(errors).toMatchObject([{ code: 'frame_too_large' }])
    expect(of(client, frameTypes.reset).map(({ payload }) => decodeReset(payload).code)).toEqual(['frame_too_large'])
    expect(machine.frames).toEqual([])
    expect([client.peer.channels, machine.peer.channels]).toEqual([0, 0])
  })
})

describe('a peer', () => {
  test('has at most so many channels', async () => {
    const { client } = await newPair()
    for (let count = 0; count <= MAX_CHANNELS; count += 1)
      client.link.send(encodeJson(frameTypes.open, 2 * count + 1, open))
    await delivered()
    const resets = of(client, frameTypes.reset)
    expect(resets.map((frame) => [frame.channel, decodeReset(frame.payload).code])).toEqual([
      [2 * MAX_CHANNELS + 1, 'unavailable'],
    ])
    expect(client.peer.channels).toBe(MAX_CHANNELS)
  })

  test('that may open none is refused', async () => {
    const machine = await newPeer()
    machine.link.send(encodeJson(frameTypes.open, 1, open))
    await delivered()
    expect(of(machine, frameTypes.reset).map(({ payload }) => decodeReset(payload).code)).toEqual(['permission'])
  })

  test('that uses an id twice, one of the other side, or one that nobody opened is closed', async () => {
    for (const [first, then] of [
      [3, encodeJson(frameTypes.open, 1, open)],
      [1, encodeJson(frameTypes.open, 2, open)],
      [1, encodeData(5, 1, EMPTY)],
      [1, encodeData(0, 1, EMPTY)],
    ] as const) {
      const { client } = await newPair()
      client.link.send(encodeJson(frameTypes.open, first, open))
      client.link.send(then)
      await delivered()
      expect(client.closedWith()).toMatchObject({ code: 'protocol' })
    }
  })

  test('may still have frames under way to a channel that is over', async () => {
    const machine = await newPeer()
    machine.link.send(encodeJson(frameTypes.open, 1, open))
    machine.link.send(encodeData(1, 1, EMPTY))
    await delivered()
    expect(machine.closedWith()).toBeUndefined()
  })
})
