import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeptConversation } from '@cmdop/agent'
import type { MachineSpend, MessagesResponse } from '@cmdop/protocol'
import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'

/** Conversations that are kept, the latest ones; messages of each; characters of one. */
const MAX_CONVERSATIONS = 8
const MAX_MESSAGES = 100
const MAX_TEXT_CHARACTERS = 4096

/** Hours of spending that are kept: two windows of 90 days. */
const KEPT_HOURS = 4320

const HOUR_MS = 3_600_000

type Message = MessagesResponse['messages'][number]

const Conversation = z.object({
  id: z.string(),
  principalId: z.string(),
  at: z.number(),
  /** What the model is shown of it; absent until a turn had an answer. */
  kept: z.custom<KeptConversation>((value) => typeof value === 'object' && value !== null).optional(),
  messages: z.array(z.custom<Message>((value) => typeof value === 'object' && value !== null)),
})
type Conversation = z.infer<typeof Conversation>

const Spent = z.object({
  /** Since 1970. */
  hour: z.number(),
  model: z.string(),
  usd: z.number(),
  tokensIn: z.number(),
  tokensOut: z.number(),
  calls: z.number(),
})
type Spent = z.infer<typeof Spent>

const Memory = z.object({ version: z.literal(1), conversations: z.array(Conversation), spent: z.array(Spent) })

/** One turn that was said. */
export interface Turn {
  readonly principalId: string
  readonly conversationId: string
  /** Absent when the turn failed: what was said before stays. */
  readonly kept: KeptConversation | undefined
  readonly messages: readonly Message[]
}

/** What the operator of a machine remembers, in `resident.json` (mode 0600). A conversation is of who began it. */
export class ResidentMemory {
  readonly #file: string
  #conversations: Conversation[]
  #spent: Spent[]

  /** Throws `config` when the file cannot be read. */
  constructor(dataDir: string) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    this.#file = join(dataDir, 'resident.json')
    const { conversations, spent } = readMemory(this.#file)
    this.#conversations = conversations
    this.#spent = spent
  }

  /** To go on with; undefined: it is new. */
  conversation(principalId: string, id: string): KeptConversation | undefined {
    return this.#conversations.find((each) => each.id === id && each.principalId === principalId)?.kept
  }

  /** Adds a turn, which makes its conversation the active one. */
  remember({ principalId, conversationId: id, kept, messages }: Turn): void {
    const known = this.#conversations.find((each) => each.id === id && each.principalId === principalId)
    const all = [...(known?.messages ?? []), ...messages.map(shortened)].slice(-MAX_MESSAGES)
    const now = { id, principalId, at: Date.now(), kept: kept ?? known?.kept }
    this.#conversations = [...this.#conversations.filter((each) => each !== known), { ...now, messages: all }].slice(
      -MAX_CONVERSATIONS,
    )
    this.#write()
  }

  /** The conversation of this principal that was asked last; undefined: none. */
  active(principalId: string): Pick<Conversation, 'id' | 'messages'> | undefined {
    return this.#conversations.findLast((each) => each.principalId === principalId)
  }

  /** Forgets the active one. */
  clear(principalId: string): { id: string; deleted: number } | undefined {
    const found = this.#conversations.findLast((each) => each.principalId === principalId)
    if (found === undefined) return undefined
    this.#conversations = this.#conversations.filter((each) => each !== found)
    this.#write()
    return { id: found.id, deleted: found.messages.length }
  }

  /** Adds what an ask cost. */
  spend(model: string, cost: Pick<Spent, 'usd' | 'tokensIn' | 'tokensOut' | 'calls'>): void {
    const hour = Math.floor(Date.now() / HOUR_MS)
    const known = this.#spent.find((each) => each.hour === hour && each.model === model)
    const sum = known === undefined ? { hour, model, ...cost } : added(known, cost)
    this.#spent = [...this.#spent.filter((each) => each !== known && each.hour > hour - KEPT_HOURS), sum]
    this.#write()
  }

  /** What was spent in the hours up to now. */
  spending(hours: number): Omit<MachineSpend, 'window'> {
    const since = Math.floor(Date.now() / HOUR_MS) - hours
    const now = this.#spent.filter(({ hour }) => hour > since)
    const before = total(
      this.#spent.filter(({ hour }) => hour > since - hours && hour <= since),
      'usd',
    )
    const usd = total(now, 'usd')
    return {
      total_usd: usd,
      delta_usd: usd - before,
      delta_pct: before === 0 ? null : ((usd - before) / before) * 100,
      tokens_in: total(now, 'tokensIn'),
      tokens_out: total(now, 'tokensOut'),
      calls: total(now, 'calls'),
      ocr_pages: 0,
      top_models: topModels(now, usd),
    }
  }

  #write(): void {
    const text = JSON.stringify({ version: 1, conversations: this.#conversations, spent: this.#spent })
    writeFileSync(`${this.#file}.new`, text, { mode: 0o600, flush: true })
    renameSync(`${this.#file}.new`, this.#file)
  }
}

function readMemory(file: string): { conversations: Conversation[]; spent: Spent[] } {
  try {
    return Memory.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { conversations: [], spent: [] }
    throw new CmdopError('config', `${file} cannot be read; remove it, and the operator forgets what was said.`, {
      cause,
    })
  }
}

function shortened(message: Message): Message {
  return { ...message, text: message.text.slice(0, MAX_TEXT_CHARACTERS) }
}

function added(known: Spent, cost: Pick<Spent, 'usd' | 'tokensIn' | 'tokensOut' | 'calls'>): Spent {
  return {
    ...known,
    usd: known.usd + cost.usd,
    tokensIn: known.tokensIn + cost.tokensIn,
    tokensOut: known.tokensOut + cost.tokensOut,
    calls: known.calls + cost.calls,
  }
}

function total(rows: readonly Spent[], name: 'usd' | 'tokensIn' | 'tokensOut' | 'calls'): number {
  return rows.reduce((sum, row) => sum + row[name], 0)
}

function topModels(rows: readonly Spent[], usd: number): MachineSpend['top_models'] {
  const models = Map.groupBy(rows, ({ model }) => model)
  return Array.from(models, ([model, own]) => ({
    model,
    usd: total(own, 'usd'),
    pct: usd === 0 ? 0 : (total(own, 'usd') / usd) * 100,
  })).sort((one, other) => other.usd - one.usd)
}
