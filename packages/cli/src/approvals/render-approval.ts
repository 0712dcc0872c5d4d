import type { ApprovalAction, ApprovalGroup, ApprovalInfo } from '@cmdop/core'
import { styleText } from 'node:util'
import { renderEffects } from '../effects/render-effects.ts'
import { printable } from '../terminal.ts'

const colours = { low: 'green', medium: 'yellow', high: 'red', critical: 'red' } as const

/** An approval as a person looks at it before deciding: everything that would run, and what binds it. */
export function renderApproval(info: ApprovalInfo, colour: boolean): string {
  const danger = colour ? styleText(colours[info.danger], info.danger, { validateStream: false }) : info.danger
  const behalf = info.onBehalfOf === null ? '' : ` on behalf of ${info.onBehalfOf}`
  const model = info.model === null ? '' : `, ${info.model}`
  const runs = [info.runId, info.fleetRunId].filter((id) => id !== null)
  const run = runs.map((id) => `\nRun        ${id}`).join('')
  const votes = info.votes.map(
    ({ personName, vote, reason }) => `\n  ${personName}: ${vote}${reason && ` (${reason})`}`,
  )
  return [
    `Approval   ${info.id} (${info.state})`,
    `What       ${plain(info.title)}`,
    `Who asks   ${plain(info.requesterName)} (${info.requesterKind}${model})${behalf}${run}`,
    `Why        ${plain(info.reason) || '-'} [${info.rule}]`,
    `Danger     ${danger}: ${plain(info.dangerReason)}`,
    `Needs      ${info.requirement.map(({ from, n }) => `${n} of ${from}`).join(' and ')}${info.fourEyes ? ', not who asks' : ''}`,
    `Until      ${info.expiresAt}`,
    ...(info.edited === null ? [] : [`Edited     by ${info.edited.by}, from: ${plain(info.edited.from)}`]),
    ...(votes.length === 0 ? [] : [`Votes     ${votes.join('')}`]),
    ...renderActions(info, colour),
    `Digest     ${info.planDigest}`,
  ].join('\n')
}

/** Each action once; what is the same on several machines with the names of all. */
function renderActions(info: ApprovalInfo, colour: boolean): string[] {
  const { actions, groups, groupCount, actionCount, id } = info
  if (groupCount === actionCount && actionCount === actions.length)
    return actions.map((action) => renderAction(action, colour))
  const sizes = groups.map(({ count }) => count).join(', ')
  const shown = groups.flatMap((group) => {
    const action = actions.find(({ machineId }) => machineId === group.machineId)
    return action === undefined ? [] : [renderAction(action, colour, group)]
  })
  const hidden = groupCount - shown.length
  const more =
    hidden === 0 ? [] : [`${hidden} more that differ are not shown here; each machine: cmdop approvals actions ${id}\n`]
  return [`Machines   ${actionCount}, in ${groupCount} groups of what is the same: ${sizes}`, ...shown, ...more]
}

/** Names of machines, as many as there are. */
function namesOf({ machineNames: names, count }: ApprovalGroup): string {
  const rest = count - names.length
  return `${names.map(plain).join(', ')}${rest === 0 ? '' : ` and ${rest} more`}`
}

/** What would run on one machine, or on each of a group of them. */
export function renderAction(action: ApprovalAction, colour: boolean, group?: ApprovalGroup): string {
  const { machineName, text, cwd, environment, files, restrictions, effect } = action
  const held = Object.entries(restrictions).map(([name, value]) =>
    value === true ? name : `${name} ${JSON.stringify(value)}`,
  )
  const lines = [
    group === undefined || group.count === 1
      ? `\nOn ${plain(machineName)} (${action.machineId}):`
      : `\nOn ${group.count} machines, the same on each: ${namesOf(group)}:`,
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
