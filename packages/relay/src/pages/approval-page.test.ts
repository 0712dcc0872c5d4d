import { createHash } from 'node:crypto'
import type { ApprovalInfo } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { type DefaultTreeAdapterTypes, parse } from 'parse5'
import { describe, expect, test } from 'vitest'
import { approvalPage, type ApprovalPage } from './approval-page.ts'
import { pageHeaders } from './layout.ts'
import { signInPage } from './sign-in-page.ts'

type Node = DefaultTreeAdapterTypes.ChildNode | DefaultTreeAdapterTypes.Document

/** An approval that says `text` wherever others write something. */
function pageOf(text: string, change: Partial<ApprovalPage> = {}): ApprovalPage {
  const info: ApprovalInfo = {
    id: 'apr_1',
    fleet_id: 'flt_1',
    state: 'pending',
    title: text,
    reason: text,
    danger: 'high',
    danger_reason: text,
    rule: text,
    requester_id: 'prn_1',
    requester_name: text,
    requester_kind: 'ai',
    on_behalf_of: 'prn_2',
    run_id: text,
    fleet_run_id: text,
    agent_type: text,
    model: text,
    plan_digest: 'ab'.repeat(32),
    requirement: [{ from: 'member', n: 1 }],
    four_eyes: true,
    votes: [{ person_id: 'prn_3', person_name: text, vote: 'approve', reason: text, at: '2030-01-01T00:00:00.000Z' }],
    edited: { by: text, from: text },
    do_not_retry: false,
    created_at: '2030-01-01T00:00:00.000Z',
    expires_at: '2030-01-01T01:00:00.000Z',
    decided_at: null,
    action_count: 1,
    groups: [{ machine_id: 'mac_1', count: 1, machine_names: [text] }],
    group_count: 1,
    actions: [
      {
        machine_id: 'mac_1',
        machine_name: text,
        method: text,
        text,
        command: [text],
        params: null,
        cwd: text,
        environment: [text],
        files: [{ path: text, identity: text }],
        restrictions: { noDelete: true, writablePaths: [text] },
        effect: {
          effectId: 'eff_1',
          state: 'pending',
          hash: 'cd'.repeat(32),
          list: {
            effectId: 'eff_1',
            hash: 'cd'.repeat(32),
            effects: [{ kind: 'modified', path: text, from: text, deferred: text, diff: text }],
            counts: { modified: 1 },
            truncated: false,
            unpreviewable: [{ path: text, why: text }],
            sideEffects: { network: 'host', networkAttempts: 1, backgroundKilled: 1 },
            violations: [{ path: text, rule: text }],
          },
        },
        action_digest: 'ef'.repeat(32),
        state: 'waiting',
        edited: { command: text },
      },
    ],
  }
  const viewer = `${text} (member)`
  return { info, viewer, behalf: text, csrf: '12'.repeat(32), refusal: undefined, now: Date.UTC(2030, 0, 1), ...change }
}

/** Elements and their attributes in order, without what stands for a hidden character. */
function structure(node: Node): string[] {
  const children = 'childNodes' in node ? node.childNodes.flatMap(structure) : []
  if (!('attrs' in node) || node.tagName === 'mark') return children
  return [`${node.tagName} ${node.attrs.map(({ name, value }) => `${name}=${value}`).join(' ')}`, ...children]
}

/** All text of the page's body. */
function textOf(node: Node): string {
  if ('value' in node) return node.value
  return 'childNodes' in node ? node.childNodes.map(textOf).join('') : ''
}

const dangerous = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        '<script>alert(1)</script>',
        '</pre>',
        '</span></dd>',
        '"><img src=x onerror=alert(1)>',
        "' autofocus onfocus='alert(1)",
        '<!--',
        '-->',
        '<![CDATA[',
        '</title>',
        '</style>',
        '&lt;b&gt;',
        '&#60;script&#62;',
        '\u202e',
        '\u0000',
        '\r',
        '\n\n',
        '\t',
        '\ud800',
        '<mark>U+202E</mark>',
        '{{x}}',
        '${x}',
        'javascript:alert(1)',
      ),
      { maxLength: 6 },
    )
    .map((pieces) => pieces.join('x')),
)

describe('the page of an approval', () => {
  test('has no element and no attribute that comes from what others wrote', () => {
    const plain = structure(parse(approvalPage(pageOf('x'))))
    expect(plain.length).toBeGreaterThan(60)
    fc.assert(
      fc.property(dangerous, (text) => {
        expect(structure(parse(approvalPage(pageOf(text))))).toEqual(plain)
      }),
      { numRuns: 500 },
    )
  })

  test('shows every character of a command, and the hidden ones by their number', () => {
    const command = 'echo "a  b" <x &amp; \u202etxt.exe\u200b\u00a0; rm -rf /\n\tsecond'
    const text = textOf(parse(approvalPage(pageOf(command))))
    expect(text).toContain('echo "a  b" <x &amp; U+202Etxt.exeU+200BU+00A0; rm -rf /\n\tsecond')
    expect(text).not.toMatch(/[\u202e\u200b\u00a0]/)
    expect(text).toContain('2 lines')
  })

  test('loads nothing and runs nothing, and its headers say so', () => {
    const csp = pageHeaders['content-security-policy'] ?? ''
    const text = approvalPage(pageOf('x'))
    expect(text).not.toMatch(/<script|<link|<img|\bon\w+=|https?:/)
    const [, style = ''] = /<style>([^]*?)<\/style>/.exec(text) ?? []
    expect(csp).toContain(`style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`)
    expect(csp).toContain("default-src 'none'")
    expect(csp).toContain("frame-ancestors 'none'")
    expect(csp).not.toContain('unsafe')
  })

  test('says of what a script does itself, such as the prompt of a fleet run, that no machine is held to it', () => {
    const { info } = pageOf('x')
    const held = (method: string) => {
      const actions = info.actions.map((action) => ({ ...action, method }))
      return textOf(parse(approvalPage(pageOf('x', { info: { ...info, actions } }))))
    }
    expect(held('tool')).toContain('holds the script to it, and no machine')
    expect(held('exec')).not.toContain('holds the script')
  })

  test('offers what can still be decided, to whom may', () => {
    const forms = (change: Partial<ApprovalPage>) => {
      const found = approvalPage(pageOf('x', change)).matchAll(/action="\/approvals\/apr_1\/([a-z]+)"/g)
      return Array.from(found, ([, name]) => name)
    }
    const { info } = pageOf('x')
    expect(forms({})).toEqual(['approve', 'deny'])
    expect(forms({ info: { ...info, state: 'approved' } })).toEqual(['deny'])
    for (const state of ['denied', 'expired', 'done', 'void'] as const)
      expect(forms({ info: { ...info, state } })).toEqual([])
    expect(forms({ now: Date.parse(info.expires_at) })).toEqual([])
    expect(approvalPage(pageOf('x', { now: Date.parse(info.expires_at) }))).toContain('expired')
    expect(forms({ refusal: 'The role viewer may not.' })).toEqual([])
  })
})

test('the sign-in says nothing of the approval', () => {
  const form = { approvalId: 'apr_1', csrf: '12'.repeat(32) }
  expect(signInPage({ ...form, withCode: false })).not.toContain('name="code"')
  expect(signInPage({ ...form, withCode: true })).toContain('name="code"')
  expect(signInPage({ ...form, withCode: true, problem: '<b>' })).toContain('&lt;b&gt;')
})
