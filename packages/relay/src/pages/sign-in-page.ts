import { html } from './html.ts'
import { notice, page } from './layout.ts'

/** What the form of a sign-in needs. */
export interface SignInForm {
  readonly approvalId: string
  readonly csrf: string
  /** Whether members sign in with a code. */
  readonly withCode: boolean
  /** What went wrong the last time. */
  readonly problem?: string | undefined
}

/** All that is seen before somebody has signed in: nothing of the approval, not even whether there is one. */
export function signInPage({ approvalId, csrf, withCode, problem }: SignInForm): string {
  const path = `/approvals/${encodeURIComponent(approvalId)}`
  const code = html`<form method="post" action="${path}/sign-in" autocomplete="off">
    <h2>With a code</h2>
    <input type="hidden" name="csrf" value="${csrf}" />
    <label>Email <input type="email" name="email" required /></label>
    <label>One-time code <input name="code" required /></label>
    <label>Code of your authenticator, if you have one <input name="totp" inputmode="numeric" /></label>
    <button>Sign in</button>
  </form>`
  return page(
    'Sign in to CMDOP',
    html`<h1>Sign in</h1>
      ${problem === undefined ? '' : notice(problem)}
      <p>Somebody asks people to decide. Sign in to see what it is; opening this page has decided nothing.</p>
      <p>You have signed in a moment ago? <a href="${path}">Go on.</a></p>
      ${withCode ? code : ''}
      <form method="post" action="${path}/sign-in" autocomplete="off">
        <h2>With your key</h2>
        <input type="hidden" name="csrf" value="${csrf}" />
        <label>Key <input type="password" name="key" required /></label>
        <button>Sign in</button>
      </form>`,
  )
}
