import { createInterface } from 'node:readline/promises'
import { CmdopError, type EffectDetails, type EffectInfo } from '@cmdop/protocol'
import { connectMachine } from '../connect.ts'
import { renderEffects } from '../effects/render-effects.ts'
import { stateTexts } from '../effects/tell-effect.ts'
import { exitCodes } from '../exit-codes.ts'
import { parseCount } from '../numbers.ts'
import { formatTable, hasColours, say, writeJson, writeStderr, writeStdout } from '../terminal.ts'

/** Effects that are listed unless it says how many. */
const LISTED = 50

interface EffectFlags {
  json?: boolean
  signal: AbortSignal
}

/** Which effect: that of a session has the session's id, that of a command the command's. */
interface EffectPlace {
  readonly machine: string
  readonly effectId: string
}

/** `cmdop effects list <machine>`: the effects that the machine keeps, the newest first. */
export async function listEffectsCommand(
  machine: string,
  { json, signal, ...flags }: EffectFlags & { limit?: string },
): Promise<number> {
  const limit = flags.limit === undefined ? LISTED : parseCount('--limit', flags.limit)
  await using connected = await connectMachine(machine, signal)
  const items = await connected.machine.effects.list({ limit, signal })
  if (json === true) await writeJson({ items })
  else await writeStdout(formatTable(['CHANGED', 'STATE', 'KIND', 'WHO', 'WHAT', 'CHANGES', 'ID'], items.map(row)))
  return exitCodes.ok
}

/** `cmdop effects show <machine> <id>`: what it would change or has changed, as a tree with diffs. */
export async function showEffectCommand(place: EffectPlace, { json, signal }: EffectFlags): Promise<number> {
  await using connected = await connectMachine(place.machine, signal)
  const { info, list } = await connected.machine.effects.get(place.effectId, { signal })
  if (json === true) await writeJson({ info, list })
  else if (list === null) await say(`cmdop: it is ${stateTexts[info.state]}, and what it changes is not kept any more`)
  else {
    const { restrictions } = info
    const all = { restrictions, colour: hasColours(process.stdout), lines: Number.POSITIVE_INFINITY }
    await writeStdout(`${renderEffects(list, all)}\nState ${info.state}: ${stateTexts[info.state]}\n`)
  }
  return exitCodes.ok
}

/** `cmdop effects apply <machine> <id>`: exactly the effect with this hash, or with the one that is shown and agreed to. */
export async function applyEffectCommand(
  place: EffectPlace,
  { json, signal, hash: given }: EffectFlags & { hash?: string },
): Promise<number> {
  if (given === undefined && (json === true || !process.stdin.isTTY))
    throw new CmdopError('config', 'Expected --hash with the hash of the effect; cmdop effects show prints it.')
  await using connected = await connectMachine(place.machine, signal)
  const { effects } = connected.machine
  const hash = given ?? (await agree(await effects.get(place.effectId, { signal }), signal))
  const info = await effects.apply(place.effectId, hash, { signal })
  // Where a session goes on, what was applied of it has an id of its own.
  const undo = `take it back with: cmdop effects undo ${connected.machine.name} ${info.effectId}`
  await tellChange(info, { json, advice: undo })
  return exitCodes.ok
}

/** `cmdop effects discard <machine> <id>`: nothing of it reaches the disk. */
export async function discardEffectCommand(place: EffectPlace, { json, signal }: EffectFlags): Promise<number> {
  await using connected = await connectMachine(place.machine, signal)
  await tellChange(await connected.machine.effects.discard(place.effectId, { signal }), { json })
  return exitCodes.ok
}

/** `cmdop effects undo <machine> <id>`: takes an applied effect back. */
export async function undoEffectCommand(place: EffectPlace, { json, signal }: EffectFlags): Promise<number> {
  await using connected = await connectMachine(place.machine, signal)
  await tellChange(await connected.machine.effects.undo(place.effectId, { signal }), { json })
  return exitCodes.ok
}

/** Shows an effect and asks; resolves to the hash of what was shown. */
async function agree({ info, list }: EffectDetails, signal: AbortSignal): Promise<string> {
  if (list === null) throw new CmdopError('conflict', `The effect is ${stateTexts[info.state]}.`)
  await writeStderr(`${renderEffects(list, { restrictions: info.restrictions, colour: hasColours(process.stderr) })}\n`)
  using question = createInterface({ input: process.stdin, output: process.stderr })
  // ^C is a key here, which closes the question and leaves it without an answer.
  const stop = new AbortController()
  question.once('close', () => stop.abort())
  const answer = await question
    .question('Apply exactly this? [y/N] ', { signal: AbortSignal.any([signal, stop.signal]) })
    .catch(() => '')
  if (/^y(es)?$/i.test(answer.trim())) return list.hash
  throw new CmdopError('cancelled', 'Nothing was applied.')
}

async function tellChange(
  info: EffectInfo,
  { json, advice }: { json: boolean | undefined; advice?: string },
): Promise<void> {
  if (json === true) return writeJson(info)
  await say(`${stateTexts[info.state]}: ${changes(info)}${advice === undefined ? '' : `; ${advice}`}`)
}

function row(info: EffectInfo): string[] {
  const { changedAt, state, kind, createdBy, title, effectId, refusal } = info
  const shown = refusal === undefined ? state : `${state}, ${refusal.code}`
  return [changedAt, shown, kind, createdBy.name, title.replaceAll('\n', ' ').slice(0, 60), changes(info), effectId]
}

function changes({ state, counts }: EffectInfo): string {
  const parts = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`)
  if (parts.length > 0) return parts.join(', ')
  return state === 'open' ? 'not known yet' : 'nothing'
}
