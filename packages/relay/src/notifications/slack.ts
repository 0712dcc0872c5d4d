import type { Notification } from '@cmdop/protocol'

/** Characters of a text and of a name at most: Slack takes 3000, and escaping makes five of one. */
const MAX_CHARACTERS = 400
const MAX_NAME_CHARACTERS = 80

/** Names in a list at most. */
const MAX_NAMES = 5

type Text = { readonly type: 'mrkdwn'; readonly text: string; readonly verbatim: true }

/** What an incoming webhook of Slack, or one like it, takes. */
export interface SlackMessage {
  readonly text: string
  readonly mrkdwn: false
  readonly link_names: false
  readonly unfurl_links: false
  readonly unfurl_media: false
  readonly blocks: readonly object[]
}

/**
 * A notification for Slack and what is like it: escaped text, and a button that is a link. Nothing in it decides, mentions anybody or
 * leads anywhere but to the relay's own page.
 */
export function slackMessageOf({ approval, schedule, link, event, at }: Notification): SlackMessage {
  const options = { mrkdwn: false, link_names: false, unfurl_links: false, unfurl_media: false } as const
  if (schedule !== undefined) {
    const counts = Object.entries(schedule.counts).map(([outcome, count]) => `${count} ${outcome}`)
    const how = [schedule.status, ...counts].join(', ')
    const text = `CMDOP: ${event.replace('.', ' ')}: ${name(schedule.name)} (${safe(how)}), due ${schedule.due_at}`
    return { ...options, text, blocks: [section(mrkdwn(text))] }
  }
  if (approval === null || link === null)
    return { ...options, text: `CMDOP: a test, sent ${at}`, blocks: [section(mrkdwn(`CMDOP: a test, sent ${at}`))] }
  const { title, state, danger, danger_reason, reason, requester, on_behalf_of, model, machines, commands } = approval
  const headline = state === 'pending' ? 'CMDOP: somebody has to decide' : `CMDOP: ${event.replace('.', ' ')}`
  const behalf = on_behalf_of === null ? '' : ` for ${name(on_behalf_of.name)}`
  const by = model === null ? requester.kind : `${requester.kind}, ${name(model)}`
  const more = approval.machine_count > MAX_NAMES ? ` and ${approval.machine_count - MAX_NAMES} more` : ''
  const fields = [
    `*Who asks:* ${name(requester.name)} (${by})${behalf}`,
    `*Where:* ${names(machines)}${more}`,
    `*Danger:* ${danger}${danger_reason === '' ? '' : `: ${safe(danger_reason)}`}`,
    ...(reason === '' ? [] : [`*Why:* ${safe(reason)}`]),
    ...(approval.decided_by.length === 0 ? [] : [`*Answered by:* ${names(approval.decided_by)}`]),
    `*Until:* ${approval.expires_at}`,
  ]
  return {
    ...options,
    text: `${headline}: ${safe(title)} (${danger}) ${link}`,
    blocks: [
      section(mrkdwn(`*${headline}*\n${safe(title)}`)),
      ...(commands ?? []).slice(0, 3).map((command) => section(mrkdwn(safe(command)))),
      { type: 'context', elements: fields.map(mrkdwn) },
      { type: 'actions', elements: [{ type: 'button', text: plain('Look at it'), url: link }] },
    ],
  }
}

/**
 * Text of others, in which Slack sees no link, mention or channel: its three characters are escaped. What other programs make links
 * and mentions of is broken by a space of no width. What nobody sees, or what turns the direction of text, is replaced.
 */
export function safe(text: string): string {
  return text
    .slice(0, MAX_CHARACTERS)
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/@|:(?=\/\/)|\](?=\()|www(?=\.)/giu, (found) => `${found}\u{200b}`)
}

function name(text: string): string {
  return safe(text.slice(0, MAX_NAME_CHARACTERS))
}

function names(texts: readonly string[]): string {
  return texts.slice(0, MAX_NAMES).map(name).join(', ')
}

function mrkdwn(text: string): Text {
  // Verbatim: addresses and names in it stay text.
  return { type: 'mrkdwn', text, verbatim: true }
}

function plain(text: string): object {
  return { type: 'plain_text', text, emoji: false }
}

function section(text: Text): object {
  return { type: 'section', text }
}
