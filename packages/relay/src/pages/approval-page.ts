import type { ApprovalAction, ApprovalGroup, ApprovalInfo } from '@cmdop/protocol'
import { effectHtml } from './effect-html.ts'
import { block, exact, type Html, html } from './html.ts'
import { notice, page } from './layout.ts'

/** Of what no machine checks: the function of a script is not a call of a machine. */
const OWN_FUNCTION =
  'This is what the script says that it does. Your answer holds the script to it, and no machine: no machine checks that exactly this is done.'

/** Who looks at an approval, and what may be done about it. */
export interface ApprovalPage {
  readonly info: ApprovalInfo
  /** Name and role of who has signed in. */
  readonly viewer: string
  /** The person or schedule behind the requester; undefined where that is the requester. */
  readonly behalf: string | undefined
  readonly csrf: string
  /** Why the viewer may not decide; undefined when it may. */
  readonly refusal: string | undefined
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Exactly what would run, as the command line shows it, and how to decide. What is approved is what this page shows: it sends its digest. */
export function approvalPage(shown: ApprovalPage): string {
  const { info, viewer, csrf } = shown
  return page(
    `Approval ${info.id}`,
    html`<header>
        <span>CMDOP</span>
        <form method="post" action="/approvals/${info.id}/sign-out">
          <input type="hidden" name="csrf" value="${csrf}" />${viewer} <button>Sign out</button>
        </form>
      </header>
      <h1>${exact(info.title)}</h1>
      <p class="state">${stateText(shown)}</p>
      <dl>${fields(shown)}</dl>
      ${info.votes.length === 0 ? '' : votesHtml(info)} ${actionsHtml(info)}
      <section>
        <h2>Decide</h2>
        <p>Digest of all that is above: ${info.plan_digest}</p>
        ${decideHtml(shown)}
      </section>`,
  )
}

/** That something did not work, for who has signed in. */
export function problemPage(text: string, approvalId: string | undefined): string {
  const back = approvalId === undefined ? '' : html`<p><a href="/approvals/${approvalId}">Look at it again.</a></p>`
  return page(
    'CMDOP',
    html`<h1>That did not work</h1>
      ${notice(text)}${back}`,
  )
}

function stateText({ info, now }: ApprovalPage): string {
  if (isLate(info, now)) return 'expired: nobody decided in time; nothing ran'
  if (info.state === 'pending') return 'pending: waits for people'
  return info.decided_at === null ? info.state : `${info.state}, since ${info.decided_at}`
}

function isLate({ state, expires_at }: ApprovalInfo, now: number): boolean {
  return state === 'pending' && Date.parse(expires_at) <= now
}

function fields({ info, behalf }: ApprovalPage): Html[] {
  const model = info.model === null ? '' : `, ${info.model}`
  const needs = info.requirement.map(({ from, n }) => `${n} of ${from}`).join(' and ')
  const { edited } = info
  return [
    field('Who asks', `${info.requester_name} (${info.requester_kind}${model})`),
    ...(behalf === undefined ? [] : [field('On behalf of', behalf)]),
    field('Why', info.reason === '' ? '-' : info.reason),
    field('Rule', info.rule),
    html`<dt>Danger</dt>
      <dd class="${info.danger}">${info.danger}: ${exact(info.danger_reason)}</dd>`,
    field('Needs', `${needs}${info.four_eyes ? ', not who asks' : ''}`),
    field('Asked at', info.created_at),
    field('Until', info.expires_at),
    ...(info.run_id === null
      ? []
      : [field('Run', `${info.run_id}${info.agent_type === null ? '' : ` (${info.agent_type})`}`)]),
    ...(info.fleet_run_id === null
      ? []
      : [field('Fleet run', `${info.fleet_run_id}; once more for each retry that deletes nothing, until then`)]),
    ...(edited === null ? [] : [field('Edited', `by ${edited.by}, from: ${edited.from}`)]),
    ...(info.do_not_retry ? [field('Again', 'it must not be asked for again')] : []),
    field('Id', info.id),
  ]
}

function field(name: string, value: string): Html {
  return html`<dt>${name}</dt>
    <dd>${exact(value)}</dd>`
}

function votesHtml({ votes }: ApprovalInfo): Html {
  const one = ({ person_name, vote, reason, at }: ApprovalInfo['votes'][number]) =>
    html`<li>${at} ${person_name}: ${vote}${reason === '' ? '' : ` (${reason})`}</li>`
  return html`<h2>Votes</h2>
    <ul>
      ${votes.map(one)}
    </ul>`
}

/** Each action once; what is the same on several machines with the names of all. */
function actionsHtml(info: ApprovalInfo): Html[] {
  const { actions, groups, group_count, action_count } = info
  if (group_count === action_count && action_count === actions.length)
    return actions.map((action) => actionHtml(action))
  const shown = groups.flatMap((group) => {
    const action = actions.find(({ machine_id }) => machine_id === group.machine_id)
    return action === undefined ? [] : [actionHtml(action, group)]
  })
  const sizes = groups.map(({ count }) => count).join(', ')
  const hidden = group_count - shown.length
  return [
    html`<p>On ${action_count} machines, in ${group_count} groups of what is the same: ${sizes}.</p>`,
    ...shown,
    ...(hidden === 0
      ? []
      : [
          notice(
            `${hidden} more that differ are not shown on this page; each machine: cmdop approvals actions ${info.id}`,
          ),
        ]),
  ]
}

function headingOf({ machine_name, machine_id }: ApprovalAction, group: ApprovalGroup | undefined): Html {
  if (group === undefined || group.count === 1) return html`<h2>On ${machine_name} (${machine_id})</h2>`
  const rest = group.count - group.machine_names.length
  const names = group.machine_names.join(', ')
  return html`<h2>On ${group.count} machines, the same on each</h2>
    <p>${exact(names)}${rest === 0 ? '' : ` and ${rest} more`}</p>`
}

function actionHtml(action: ApprovalAction, group?: ApprovalGroup): Html {
  const { method, text, command, cwd, environment, files, restrictions, effect, edited } = action
  const held = Object.entries(restrictions).map(([name, value]) =>
    value === true ? name : `${name} ${JSON.stringify(value)}`,
  )
  const lines = text.split('\n').length
  const details = [
    field('Method', method),
    ...(Array.isArray(command) ? [field('Words', JSON.stringify(command))] : []),
    ...(cwd === null ? [] : [field('Directory', cwd)]),
    ...(environment.length === 0 ? [] : [field('Variables', environment.join(', '))]),
    field('Restrictions', held.length === 0 ? 'none' : held.join(', ')),
    ...files.map(({ path, identity }) => field('File', `${path} (${identity})`)),
    ...(edited === null ? [] : [field('Edited', JSON.stringify(edited))]),
    field('State', action.state),
    field('Digest', action.action_digest),
  ]
  return html`<section>
    ${headingOf(action, group)} ${method === 'tool' ? notice(OWN_FUNCTION) : ''}
    <pre>${block(text)}</pre>
    <p>${lines === 1 ? 'One line' : `${lines} lines`}, ${text.length} characters.</p>
    <dl>${details}</dl>
    ${effectPart(effect)}
  </section>`
}

function effectPart(effect: ApprovalAction['effect']): Html {
  if (effect === null) return html``
  if (effect.list === null) return notice('What it changes could not be read.')
  return effectHtml(effect.list)
}

function decideHtml({ info, refusal, csrf, now }: ApprovalPage): Html {
  const path = `/approvals/${info.id}`
  if (refusal !== undefined) return html`<p>${refusal}</p>`
  if (isLate(info, now) || !['pending', 'approved', 'executing'].includes(info.state))
    return html`<p>There is nothing to decide any more.</p>`
  const approve = html`<form class="decide" method="post" action="${path}/approve">
    <input type="hidden" name="csrf" value="${csrf}" />
    <input type="hidden" name="plan_digest" value="${info.plan_digest}" />
    <label>For the log <input name="reason" maxlength="4096" /></label>
    <button>Approve exactly this</button>
  </form>`
  return html`${info.state === 'pending' ? approve : ''}
    <form class="decide" method="post" action="${path}/deny">
      <input type="hidden" name="csrf" value="${csrf}" />
      <label>Reason, for who asks and its model <input name="reason" maxlength="4096" /></label>
      <label><input type="checkbox" name="retry" value="yes" /> it may be asked for again</label>
      <button>Deny</button>
    </form>`
}
