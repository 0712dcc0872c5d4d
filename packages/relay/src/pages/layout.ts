import { createHash } from 'node:crypto'
import { Html, html } from './html.ts'

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; }
header { display: flex; gap: 1rem; justify-content: space-between; align-items: center; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; }
body { overflow-wrap: anywhere; } span { white-space: pre-wrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { opacity: .7; } dd { margin: 0; }
pre { border: 1px solid; border-radius: .3rem; overflow-wrap: anywhere; padding: .6rem; white-space: pre-wrap; }
section { border-top: 1px solid; margin-top: 1.5rem; }
mark { background: #b00; color: #fff; font-size: .8em; }
.notice { border: 2px solid #b00; padding: .6rem; } .state { font-weight: bold; }
.high, .critical { color: #d33; font-weight: bold; }
form.decide { display: inline-block; margin: 1rem 2rem 0 0; vertical-align: top; }
label { display: block; margin: .5rem 0; } input, button, textarea { font: inherit; }
`

// Whole, because its hash is of every character in it.
const styleSheet = new Html(`<style>${style}</style>`)
const hash = createHash('sha256').update(style).digest('base64')

/** Headers of every page: nothing from elsewhere, no script at all, in no frame, kept nowhere, known to nobody else. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

/** A whole page. */
export function page(title: string, body: Html): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta name="robots" content="noindex" />
        <title>${title}</title>
        ${styleSheet}
      </head>
      <body>
        ${body}
      </body>
    </html> `.text
}

/** Something that went wrong, or is over. */
export function notice(text: string): Html {
  return html`<p class="notice" role="alert">${text}</p>`
}
