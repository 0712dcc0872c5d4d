import type { Effect, EffectList, FileState } from '@cmdop/protocol'
import { block, exact, html, type Html } from './html.ts'

/** What an effect changes, whole: every path with its diff, what could not be previewed, and what makes the preview inexact. */
export function effectHtml({
  effects,
  counts,
  truncated,
  unpreviewable,
  sideEffects,
  violations,
  hash,
}: EffectList): Html {
  const total = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`)
  const notes = [
    total.length === 0 ? 'Nothing would change.' : `${total.join(', ')}${truncated ? ' (not all are listed)' : ''}`,
    ...violations.map(({ path, rule }) => `Against a rule (${rule}): ${path}`),
    ...unpreviewable.map(({ path, why }) => `Not previewed: ${path}: ${why}`),
    ...(sideEffects.network === 'host'
      ? ['The network was the real one; what was done over it is not shown here.']
      : []),
    ...(sideEffects.networkAttempts > 0
      ? [`${sideEffects.networkAttempts} attempts to use the network failed; with one, the effect may be another.`]
      : []),
    ...(sideEffects.backgroundKilled > 0 ? [`${sideEffects.backgroundKilled} background processes were ended.`] : []),
    `Hash ${hash}`,
  ]
  return html`<h3>What it changes</h3>
    <ul>
      ${effects.map(changeHtml)}
    </ul>
    <ul>
      ${notes.map((note) => html`<li>${exact(note)}</li>`)}
    </ul>`
}

function changeHtml(effect: Effect): Html {
  const { kind, path, before, after, from, collapsed, emptied, deferred, diff } = effect
  const notes = [
    ...(from === undefined ? [] : [`from ${from}`]),
    ...(collapsed === undefined ? [] : [`and ${collapsed} entries in it`]),
    ...(after?.target === undefined ? [] : [`-> ${after.target}`]),
    ...(before === undefined ? [] : [`was ${stateText(before)}`]),
    ...(after === undefined ? [] : [`is ${stateText(after)}`]),
    ...(emptied === true ? ['emptied'] : []),
    ...(deferred === undefined ? [] : [`runs later: ${deferred}`]),
  ]
  return html`<li>
    <strong>${kind}</strong> ${exact(path)}
    (${exact(notes.join('; '))})${diff === undefined ? '' : html`<pre>${block(diff)}</pre>`}
  </li>`
}

function stateText({ type, size, mode, uid, gid, xattrs }: FileState): string {
  const attributes = xattrs === undefined || xattrs.length === 0 ? '' : `, attributes ${xattrs.join(' ')}`
  return `${type}, ${size} B, mode ${mode.toString(8)}, owner ${uid}:${gid}${attributes}`
}
