import { Client, type DeliveryInfo, type WebhookInfo } from '@cmdop/core'
import {
  ApprovalState,
  CmdopError,
  Danger,
  type WebhookCreate,
  WebhookKind,
  WebhookInfo as WebhookInfoSchema,
  WebhookCreated,
  DeliveryInfo as DeliveryInfoSchema,
} from '@cmdop/protocol'
import type { z } from 'zod'
import { exitCodes } from '../exit-codes.ts'
import { parseCount } from '../numbers.ts'
import { writeResource } from '../resource-json.ts'
import { formatTable, say, writeJson, writeStdout } from '../terminal.ts'

/** Deliveries that are listed unless it says how many. */
const LISTED = 50

interface WebhookFlags {
  json?: boolean
  signal: AbortSignal
}

/** What `cmdop webhooks add` takes beside the address. */
export interface WebhookAddFlags {
  kind?: string
  event?: string[]
  minDanger?: string
  includeCommand?: boolean
  json?: boolean
}

/** `cmdop webhooks list`: where notifications go. */
export async function listWebhooksCommand({ json, signal }: WebhookFlags): Promise<number> {
  await using client = new Client()
  const items = await client.webhooks.list({ signal })
  if (json === true) await writeResource(WebhookInfoSchema, { items })
  else await writeStdout(formatTable(['URL', 'KIND', 'EVENTS', 'FROM', 'ON', 'ID'], items.map(row)))
  return exitCodes.ok
}

/** `cmdop webhooks add <url>`: sends notifications there; prints the secret that signs them, once. */
export async function addWebhookCommand(
  url: string,
  { json, signal, ...flags }: WebhookAddFlags & WebhookFlags,
): Promise<number> {
  const body: WebhookCreate = {
    url,
    ...(flags.kind === undefined ? {} : { kind: oneOf(WebhookKind, '--kind', flags.kind) }),
    ...(flags.event === undefined ? {} : { events: flags.event.map((each) => oneOf(ApprovalState, '--event', each)) }),
    ...(flags.minDanger === undefined ? {} : { minDanger: oneOf(Danger, '--min-danger', flags.minDanger) }),
    ...(flags.includeCommand === undefined ? {} : { includeCommand: flags.includeCommand }),
  }
  await using client = new Client()
  const webhook = await client.webhooks.create(body, { signal })
  if (json === true) await writeResource(WebhookCreated, webhook)
  else {
    await say(`${webhook.id} sends to ${webhook.url}; try it: cmdop webhooks test ${webhook.id}`)
    await say(`secret that signs what is sent, shown only now: ${webhook.secret}`)
  }
  return exitCodes.ok
}

/** `cmdop webhooks enable <id>` and `disable <id>`. */
export async function enableWebhookCommand(
  id: string,
  enabled: boolean,
  { json, signal }: WebhookFlags,
): Promise<number> {
  await using client = new Client()
  const webhook = await client.webhooks.update(id, { enabled }, { signal })
  if (json === true) await writeResource(WebhookInfoSchema, webhook)
  else await say(`${id} is ${enabled ? 'on' : 'off'}`)
  return exitCodes.ok
}

/** `cmdop webhooks remove <id>`. */
export async function removeWebhookCommand(id: string, { json, signal }: WebhookFlags): Promise<number> {
  await using client = new Client()
  await client.webhooks.remove(id, { signal })
  if (json === true) await writeJson({ id })
  else await say(`${id} is removed; nothing more is sent there`)
  return exitCodes.ok
}

/** `cmdop webhooks test <id>`: sends a test at once. Exit code 1 when it was not taken. */
export async function testWebhookCommand(id: string, { json, signal }: WebhookFlags): Promise<number> {
  await using client = new Client()
  const delivery = await client.webhooks.test(id, { signal })
  if (json === true) await writeResource(DeliveryInfoSchema, delivery)
  else await say(`${delivery.state}: ${outcomeOf(delivery)}`)
  return delivery.state === 'delivered' ? exitCodes.ok : exitCodes.failed
}

/** `cmdop webhooks deliveries <id>`: what was sent there, the newest first. */
export async function listDeliveriesCommand(
  id: string,
  { json, signal, ...flags }: WebhookFlags & { limit?: string },
): Promise<number> {
  const limit = flags.limit === undefined ? LISTED : parseCount('--limit', flags.limit)
  await using client = new Client()
  const items: DeliveryInfo[] = []
  for await (const item of client.webhooks.iterDeliveries(id, { signal })) {
    items.push(item)
    if (items.length >= limit) break
  }
  if (json === true) await writeResource(DeliveryInfoSchema, { items })
  else
    await writeStdout(
      formatTable(
        ['CREATED', 'EVENT', 'APPROVAL', 'STATE', 'TRIES', 'LAST', 'NEXT TRY', 'ID'],
        items.map((item) => [
          item.createdAt,
          item.event,
          item.approvalId ?? '-',
          item.state,
          String(item.attempts),
          outcomeOf(item),
          item.nextTryAt ?? '-',
          item.id,
        ]),
      ),
    )
  return exitCodes.ok
}

function row({ url, kind, events, minDanger, enabled, id }: WebhookInfo): string[] {
  return [url, kind, events.join(','), minDanger, enabled ? 'yes' : 'no', id]
}

function outcomeOf({ status, error, answer }: DeliveryInfo): string {
  const what = status === null ? (error ?? '-') : `HTTP ${status}`
  return answer === null || answer === '' ? what : `${what} ${answer.slice(0, 40)}`
}

function oneOf<Options extends z.ZodEnum>(options: Options, name: string, text: string): z.output<Options> {
  const parsed = options.safeParse(text)
  if (parsed.success) return parsed.data
  throw new CmdopError('config', `Expected ${name} to be one of ${options.options.join(', ')}, got "${text}".`)
}
