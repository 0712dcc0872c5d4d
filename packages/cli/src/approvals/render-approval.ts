import type { ApprovalAction, ApprovalInfo } from '@cmdop/protocol'
import { styleText } from 'node:util'
import { renderEffects } from '../effects/render-effects.ts'
import { printable } from '../terminal.ts'

const colours = { low: 'green', medium: 'yellow', high: 'red', critical: 'red' } as const

/** An approval as a person looks at it before deciding: everything that would run, and what binds it. */
export function renderApproval(info: ApprovalInfo, colour: boolean): string {
  const danger = colour ? styleText(colours[info.danger], info.danger, { validateStream: false }) : info.danger
  const behalf = info.on_behalf_of === null ? '' : ` on behalf of ${info.on_behalf_of}`
  const model = info.model === null ? '' : `, ${info.model}`
  const run = info.run_id === null ? '' : `\nRun        ${info.run_id}`
  const votes = info.votes.map(
    ({ person_name, vote, reason }) => `\n  ${person_name}: ${vote}${reason && ` (${reason})`}`,
  )
  return [
    `Approval   ${info.id} (${info.state})`,
    `What       ${plain(info.title)}`,
    `Who asks   ${plain(info.requester_name)} (${info.requester_kind}${model})${behalf}${run}`,
    `Why        ${plain(info.reason) || '-'} [${info.rule}]`,
    `Danger     ${danger}: ${plain(info.danger_reason)}`,
    `Needs      ${info.requirement.map(({ from, n }) => `${n} of ${from}`).join(' and ')}${info.four_eyes ? ', not who asks' : ''}`,
    `Until      ${info.expires_at}`,
    ...(info.edited === null ? [] : [`Edited     by ${info.edited.by}, from: ${plain(info.edited.from)}`]),
    ...(votes.length === 0 ? [] : [`Votes     ${votes.join('')}`]),
    ...info.actions.map((action) => renderAction(action, colour)),
    `Digest     ${info.plan_digest}`,
  ].join('\n')
}

function renderAction(action: ApprovalAction, colour: boolean): string {
  const { machine_name, text, cwd, environment, files, restrictions, effect } = action
  const held = Object.entries(restrictions).map(([name, value]) =>
    value === true ? name : `${name} ${JSON.stringify(value)}`,
  )
  const lines = [
    `\nOn ${plain(machine_name)} (${action.machine_id}):`,
    ...plain(text)
      .split('\n')
      .map((line) => `    ${line}`),
    ...(cwd === null ? [] : [`  directory     ${plain(cwd)}`]),
    ...(environment.length === 0 ? [] : [`  variables     ${environment.map(plain).join(', ')}`]),
    ...(held.length === 0 ? [] : [`  restrictions  ${held.join(', ')}`]),
    ...files.map(({ path, identity }) => `  file          ${plain(path)} (${identity})`),
  ]
  if (effect?.list !== undefined && effect.list !== null)
    lines.push(renderEffects(effect.list, { restrictions, colour, lines: Number.POSITIVE_INFINITY }))
  return `${lines.join('\n')}\n`
}

/** What others wrote may hold control sequences. */
function plain(text: string): string {
  return printable(text)
}
