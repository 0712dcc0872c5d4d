import type { Notification } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { safe, slackMessageOf } from './slack.ts'

const link = 'https://relay.example/approvals/apr_1'

/** A notification that says `text` wherever others write something. */
function notificationOf(text: string): Notification {
  const someone = { id: 'prn_1', name: text, kind: 'ai' }
  return {
    event: 'approval.pending',
    at: '2030-01-01T00:00:00.000Z',
    fleet_id: 'flt_1',
    approval: {
      id: 'apr_1',
      state: 'pending',
      title: text,
      reason: text,
      danger: 'high',
      danger_reason: text,
      requester: someone,
      on_behalf_of: someone,
      model: text,
      machines: [text, text, text, text, text, text],
      machine_count: 6,
      commands: [text],
      plan_digest: 'ab'.repeat(32),
      created_at: '2030-01-01T00:00:00.000Z',
      expires_at: '2030-01-01T01:00:00.000Z',
      decided_at: null,
      decided_by: [text],
    },
    link,
  }
}

/** All strings of a message that Slack shows. */
function textsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, each]) =>
    typeof each === 'string' ? (key === 'text' ? [each] : []) : textsOf(each),
  )
}

const dangerous = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        '<!channel>',
        '<!here|here>',
        '<@U012AB3CD>',
        '<#C123|x>',
        '<https://evil.example|Approve>',
        '[Approve](https://evil.example)',
        '@channel',
        '@all',
        'http://evil.example',
        'www.evil.example',
        '&lt;!channel&gt;',
        '&',
        '\n>quote',
        '```',
        '\u202e',
        '\u0000',
      ),
      { maxLength: 8 },
    )
    .map((pieces) => pieces.join('')),
)

describe('a message for Slack', () => {
  test('leads nowhere but to the page, mentions nobody, whatever others wrote', () => {
    fc.assert(
      fc.property(dangerous, (text) => {
        const message = slackMessageOf(notificationOf(text))
        for (const each of textsOf(message)) {
          const own = each.replace(link, '')
          expect(own).not.toMatch(/[<>]|@(?!\u200b)|:\/\/|\]\(|www\./i)
          expect(own).not.toMatch(/&(?!amp;|lt;|gt;)/)
          expect(own.replace('\n', '').replaceAll('\u200b', '')).not.toMatch(/\p{C}/u)
        }
        const urls = JSON.stringify(message).match(/"url":"[^"]*"/g)
        expect(urls).toEqual([`"url":"${link}"`])
      }),
      { numRuns: 500 },
    )
  })

  test('is plain text of others word for word where it holds nothing that is dangerous', () => {
    const plain = fc.string({
      unit: fc.constantFrom('a', 'Z', ' ', '*', '_', '/', '.', '-', '"', 'é', '字'),
      maxLength: 99,
    })
    fc.assert(fc.property(plain, (text) => safe(text) === text))
  })

  test('has texts no longer than Slack takes, and no action but a link', () => {
    const message = slackMessageOf(notificationOf('<'.repeat(5000)))
    for (const text of textsOf(message)) expect(text.length).toBeLessThan(3000)
    expect(JSON.stringify(message)).not.toMatch(/"(value|action_id|confirm|callback_id)"/)
    expect(message).toMatchObject({ link_names: false, unfurl_links: false })
  })

  test('is the same for a test, without a link', () => {
    const message = slackMessageOf({ ...notificationOf('x'), event: 'test', approval: null, link: null })
    expect(JSON.stringify(message)).toContain('a test')
    expect(JSON.stringify(message)).not.toContain('"url"')
  })
})
