import { readFile } from 'node:fs/promises'
import type { Client } from '@cmdop/core'
import { verifyNotification } from '@cmdop/core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium, openTab, startChromium, type Tab } from './chromium.ts'
import { invitePerson, type Person } from './people.ts'
import { type Receiver, startReceiver } from './receiver.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

/** What an operator that means harm, or was told to, may have in a command, and what a person has to see of it. */
const harmful: readonly (readonly [written: string, seen: string])[] = [
  ...[
    '<script>document.title = "taken over"</script>',
    '<img src=x onerror="document.title = 1">',
    '</pre><form action="/elsewhere">',
    'two  spaces',
  ].map((text) => [text, text] as const),
  ['\u001b[2J\u001b[8mnot seen\u001b[0m', 'U+001B[2JU+001B[8mnot seenU+001B[0m'],
  ['\u202egnp.exe\u202c\u200b\u00a0', 'U+202Egnp.exeU+202CU+200BU+00A0'],
]

let world: World
let receiver: Receiver
let secret: string
let ann: Person
let browser: Browser
/** An AI operator of the owner. */
let operator: Client

/** The operator wants to run a command that writes into a file; the link that people are told. */
async function wanted(text: string) {
  const file = `${await world.folder()}/written`
  const command = `printf '%s' '${text}' > ${file}`
  const machine = await operator.machine(world.machine.id)
  const before = receiver.received.length
  const outcome = machine.exec(command, { approval: { ask: true, wait: true } }).then(
    (result) => ({ exitCode: result.exitCode, error: undefined }),
    (error: unknown) => ({ exitCode: undefined, error }),
  )
  const told = await waitFor('people are told', () => receiver.received[before])
  const { link, event, approval } = await verifyNotification(told.body, told.headers, { secret })
  expect(event).toBe('approval.pending')
  return { file, command, outcome, link: link ?? '', approvalId: approval?.id ?? '' }
}

/** With a code that the person has asked for. */
async function signInWithCode(page: Page, { email, client }: Person): Promise<void> {
  const { code } = await client.login.ownCode()
  const form = page.locator('form', { hasText: 'With a code' })
  await form.getByLabel('Email').fill(email)
  await form.getByLabel('One-time code').fill(code)
  await form.getByRole('button').click()
  await page.getByRole('button', { name: 'Sign out' }).waitFor()
}

async function signInWithKey(page: Page, key: string): Promise<void> {
  const form = page.locator('form', { hasText: 'With your key' })
  await form.getByLabel('Key', { exact: true }).fill(key)
  await form.getByRole('button').click()
  await page.getByRole('button', { name: 'Sign out' }).waitFor()
}

/** All that the tab has asked for is of the relay, and none of it is anything but a page. */
function assertOwnPagesOnly({ requests }: Tab): void {
  expect(requests.length).toBeGreaterThan(0)
  for (const { url, kind } of requests)
    expect({ origin: new URL(url).origin, kind }).toEqual({ origin: world.relay.url, kind: 'document' })
}

describe.runIf(hasChromium)('the page of an approval in Chromium', () => {
  beforeAll(async () => {
    world = await startWorld({ relay: { signInsPerMinute: 1000 } })
    receiver = await startReceiver()
    ;({ secret } = await world.client.webhooks.create({ url: receiver.url, events: ['pending'] }))
    ann = await invitePerson(world, 'ann')
    const { rawToken: token } = await world.client.keys.issue({ name: 'operator', kind: 'ai', role: 'member' })
    operator = world.connect({ token })
    browser = await startChromium()
  })
  afterAll(async () => {
    await browser.close()
    await receiver[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })

  test('takes who follows a notification from a code to what would run, and runs exactly that', async () => {
    const { file, command, outcome, link, approvalId } = await wanted('exactly this')
    await using tab = await openTab(browser)
    const { page } = tab
    await page.goto(link)
    expect(await page.title()).toBe('Sign in to CMDOP')
    expect(await page.innerText('body')).not.toMatch(/exactly this|operator|machine-0/)

    await signInWithCode(page, ann)
    const { planDigest: digest, actions } = await world.client.approvals.get(approvalId)
    expect(await page.innerText('pre')).toBe(command)
    const shown = await page.innerText('body')
    for (const part of ['machine-0', 'operator (ai)', 'On behalf of', digest, actions[0]?.actionDigest ?? '-'])
      expect(shown).toContain(part)
    expect((await world.client.approvals.get(approvalId)).state).toBe('pending')

    await page.getByLabel('For the log').fill('read it twice')
    await page.getByRole('button', { name: 'Approve exactly this' }).click()
    await page.locator('.state', { hasNotText: 'pending' }).waitFor()
    expect(await outcome).toEqual({ exitCode: 0, error: undefined })
    expect(await readFile(file, 'utf8')).toBe('exactly this')
    expect(await page.innerText('ul')).toContain('ann: approve (read it twice)')
    const { votes } = await world.client.approvals.get(approvalId)
    expect(votes).toMatchObject([{ personId: ann.id, vote: 'approve', reason: 'read it twice' }])
    assertOwnPagesOnly(tab)
  })

  test('shows tags, escapes of terminals and turned text as text, and what is shown is what runs', async () => {
    const [written, seen] = [0, 1].map((side) => harmful.map((pair) => pair[side]).join('\n')) as [string, string]
    const { file, command, outcome, link } = await wanted(written)
    await using tab = await openTab(browser)
    const { page } = tab
    await page.goto(link)
    await signInWithKey(page, ann.token)
    const shown = await page.innerText('pre')
    expect(shown).toBe(command.replace(written, seen))
    expect(await page.locator('script, img, form[action="/elsewhere"]').count()).toBe(0)
    expect(await page.title()).not.toContain('taken over')
    expect(await page.locator('mark').first().isVisible()).toBe(true)
    await page.getByRole('button', { name: 'Approve exactly this' }).click()
    await page.locator('.state', { hasNotText: 'pending' }).waitFor()
    expect(await outcome).toEqual({ exitCode: 0, error: undefined })
    expect(await readFile(file, 'utf8')).toBe(written)
    assertOwnPagesOnly(tab)
  })

  test('asks who comes by a link of another site to go on, and does not want the key again', async () => {
    const { outcome, link, approvalId } = await wanted('from a chat')
    await using tab = await openTab(browser)
    const { page } = tab
    await page.goto(link)
    await signInWithKey(page, ann.token)
    await page.goto(`data:text/html,<a href="${link}">Somebody has to decide</a>`)
    await page.getByRole('link').click()
    await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor()
    expect(await page.innerText('body')).not.toContain('from a chat')
    await page.getByRole('link', { name: 'Go on.' }).click()
    expect(await page.innerText('pre')).toContain('from a chat')
    await ann.client.approvals.deny(approvalId)
    expect(await outcome).toMatchObject({ error: { code: 'approval_denied' } })
  })

  test('runs no script and loads nothing from elsewhere, also where somebody got it into the page', async () => {
    const { outcome, link, approvalId } = await wanted('quiet')
    await using tab = await openTab(browser)
    const { page } = tab
    const answer = await page.goto(link)
    expect(await answer?.headerValue('content-security-policy')).toContain("default-src 'none'")
    await signInWithKey(page, ann.token)
    // The style of the page itself is let in.
    expect(await page.evaluate<string>(`getComputedStyle(document.querySelector('pre')).whiteSpace`)).toMatch(
      /pre-wrap/,
    )
    assertOwnPagesOnly(tab)
    const before = receiver.received.length
    const pieces = [
      ['script-src-elem', `script`, `textContent: 'document.title = "taken over"'`],
      ['script-src-elem', `script`, `src: '${receiver.url}'`],
      ['img-src', `img`, `src: '${receiver.url}'`],
      ['frame-src', `iframe`, `src: '${receiver.url}'`],
      ['style-src-elem', `link`, `rel: 'stylesheet', href: '${receiver.url}'`],
    ]
    for (const [directive, name, properties] of pieces) {
      const stopped = await page.evaluate<string>(`new Promise((resolve) => {
        document.addEventListener('securitypolicyviolation', (event) => resolve(event.violatedDirective), { once: true })
        document.body.append(Object.assign(document.createElement('${name}'), { ${properties} }))
      })`)
      expect(stopped).toBe(directive)
    }
    expect(receiver.received.length).toBe(before)
    expect(await page.title()).toBe(`Approval ${approvalId}`)
    await page.goto(link)
    await page.getByLabel('Reason, for who asks').fill('not <b>now</b>')
    await page.getByRole('button', { name: 'Deny' }).click()
    await page.locator('.state', { hasText: 'denied' }).waitFor()
    const reason = expect.stringContaining('not <b>now</b>')
    expect(await outcome).toMatchObject({ error: { code: 'approval_denied', message: reason } })
    expect(await page.locator('b').count()).toBe(0)
  })
})
