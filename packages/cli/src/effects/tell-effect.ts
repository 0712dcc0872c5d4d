import type { Session } from '@cmdop/core'
import { type EffectInfo, type EffectList, type EffectState, type EffectSummary, toCmdopError } from '@cmdop/protocol'
import type { Connected } from '../connect.ts'
import { hasColours, say, writeStderr } from '../terminal.ts'
import { renderEffects } from './render-effects.ts'

/** Lines of a tree that is shown unasked. */
const TOLD_LINES = 100

/** Says on stderr what a command would change, and how it is applied. */
export function tellEffect(connected: Connected, effectId: string): Promise<void> {
  return orWhyNot(() => tell(connected, effectId))
}

/** The same of a session with restrictions; nothing where these hold no changes back. */
export function tellSessionEffect(connected: Connected, session: Session): Promise<void> {
  return orWhyNot(async () => {
    // One that is over is closed already: this resolves when what it changed is known.
    if ((await session.info()).state !== 'running') await session.close()
    await tell(connected, session.id)
  })
}

/** What the command or session itself came to is told by who called, whatever happens here. */
async function orWhyNot(told: () => Promise<void>): Promise<void> {
  try {
    await told()
  } catch (error) {
    const { code, message } = toCmdopError(error, 'server', 'cmdop met a fault of its own.')
    if (code !== 'not_found') await say(`cmdop: what it would change cannot be shown: ${message}`)
  }
}

async function tell({ machine, isTemporary }: Connected, effectId: string): Promise<void> {
  const { info, list } = await machine.effects.get(effectId)
  if (list === null) return say(`cmdop: the effect ${effectId} is ${stateTexts[info.state]}`)
  const { restrictions } = info
  const shown = { restrictions, colour: hasColours(process.stderr), lines: TOLD_LINES }
  await writeStderr(`${renderEffects(list, shown)}\n`)
  await say(isTemporary ? temporary : advice(machine.name, info, list))
}

/** An effect in a line, with what to do about it. */
export function effectLine({ effectId, state, hash, counts }: EffectSummary, machine: string): string {
  const changes = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`)
  const line = `${stateTexts[state]} on ${machine}: ${changes.join(', ')}`
  const command = (verb: string) => `cmdop effects ${verb} ${machine} ${effectId}`
  if (state === 'applied') return `${line}; take it back with: ${command('undo')}`
  if (state !== 'pending') return line
  return `${line}; look with: ${command('show')}; apply exactly this with: ${command('apply')} --hash ${hash}`
}

/** What became of an effect. */
export const stateTexts: Readonly<Record<EffectState, string>> = {
  open: 'not applied: what makes it still runs',
  pending: 'not applied',
  applied: 'applied',
  discarded: 'discarded',
  undone: 'undone',
}

const temporary =
  'cmdop: nothing of it is applied, and it cannot be: the machine ends with this command. For one that stays, run: cmdop up'

function advice(machine: string, { effectId, state }: EffectInfo, { hash, effects }: EffectList): string {
  const command = (verb: string) => `cmdop effects ${verb} ${machine} ${effectId}`
  if (state === 'applied') return `cmdop: applied; take it back with: ${command('undo')}`
  if (effects.length === 0) return 'cmdop: there is nothing to apply'
  if (state === 'open') return `cmdop: it is not applied, and may still change; look again with: ${command('show')}`
  return `cmdop: nothing of it is applied; apply exactly this with: ${command('apply')} --hash ${hash}`
}
