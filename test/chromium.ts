import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

/** Where Debian's package `chromium` puts it. */
const program = '/usr/bin/chromium'

/** Tests that need it are counted as not run without it. */
export const hasChromium = existsSync(program)

/**
 * Starts Chromium, which reaches this host only; `reached` are rules for names of it, as `MAP *.tunnels.test 127.0.0.1, `. Its own sandbox works neither as root nor in every container.
 */
export function startChromium(reached = ''): Promise<Browser> {
  return chromium.launch({
    executablePath: program,
    args: [`--host-resolver-rules=${reached}MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`],
    chromiumSandbox: false,
  })
}

/** A tab of a visitor whom nobody knows yet. */
export interface Tab extends AsyncDisposable {
  readonly page: Page
  /** All that it has asked for, and as what. */
  readonly requests: readonly { url: string; kind: string }[]
}

/** Opens one, with no cookies. */
export async function openTab(browser: Browser): Promise<Tab> {
  const context = await browser.newContext()
  const requests: { url: string; kind: string }[] = []
  context.on('request', (request) => requests.push({ url: request.url(), kind: request.resourceType() }))
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  return { page, requests, [Symbol.asyncDispose]: () => context.close() }
}
