import { randomUUID } from 'node:crypto'
import type { ServerRequest, ServerTurn } from '@cmdop/agent/testing'
import type { AskFrame, AskStream } from '@cmdop/core'
import { setMachinePin } from '@cmdop/machine'
import { TOTP } from 'otpauth'
import { runs } from './asked-world.ts'
import type { Way } from './changes.ts'
import { fleetRunOf } from './fleet-runs.ts'
import { invitePerson } from './people.ts'
import { NEVER } from './schedule-runs.ts'
import type { World } from './world.ts'

const PIN = '1234'
const [WAIT, CHANGE] = ['Wait', 'Change it']

/** What the model does in the asks here. */
export function answersOfModel({ userTexts: [prompt = ''], toolResults }: ServerRequest): ServerTurn {
  if (toolResults.length > 0) return { text: 'Done.' }
  if (prompt.includes(WAIT)) return runs('sleep 1000')
  return prompt.includes(CHANGE) ? runs('rm -rf /tmp/cmdop-openapi-gone') : { text: 'Fine.' }
}

/**
 * Changes of what has to be under way, or in a state that it does not stay in: each makes that when it is called, and says the
 * request then.
 */
export function liveChanges(world: World): Record<string, () => Promise<Way>> {
  return { ...ofAsks(world), ...ofFleetRuns(world), ...ofPeople(world), ...ofSchedules(world), ...ofNothing(world) }
}

function ofAsks({ client, machine }: World): Record<string, () => Promise<Way>> {
  // A machine does one ask at a time.
  let before: Promise<unknown> = Promise.resolve()
  const free = async () => {
    await before
    await setMachinePin(machine.dataDir, undefined)
  }
  const ask = async (type: AskFrame['type'], prompt: string) => {
    const stream = client.machines.ask(machine.id, prompt, { confirm: 'changes' })
    const { frame, over } = await firstOf(stream, type)
    before = over
    return { callId: stream.callId, frame }
  }
  const ways = (prefix: string): Record<string, () => Promise<Way>> => ({
    [`POST ${prefix}/{machine}/ask`]: async () => {
      await free()
      return { places: [machine.id], body: { prompt: 'Hello' } }
    },
    [`DELETE ${prefix}/{machine}/ask/{call}`]: async () => {
      await free()
      const { callId } = await ask('confirm_required', WAIT)
      return { places: [machine.id, callId] }
    },
    [`POST ${prefix}/{machine}/confirm`]: async () => {
      await free()
      const { frame } = await ask('confirm_required', CHANGE)
      const token = frame.type === 'confirm_required' ? frame.token : ''
      return { places: [machine.id], body: { token, accept: true } }
    },
    [`POST ${prefix}/{machine}/pin`]: async () => {
      await free()
      await setMachinePin(machine.dataDir, PIN)
      const { frame } = await ask('pin_required', 'Hello')
      const challenge_id = frame.type === 'pin_required' ? frame.challengeId : ''
      return { places: [machine.id], body: { challenge_id, pin: PIN } }
    },
  })
  return { ...ways('/api/machines'), ...ways('/api/admin/machines') }
}

/** The first frame of this type; `over` resolves once the ask is, however it ends. */
async function firstOf(
  stream: AskStream,
  type: AskFrame['type'],
): Promise<{ frame: AskFrame; over: Promise<unknown> }> {
  const { promise, resolve, reject } = Promise.withResolvers<AskFrame>()
  const over = (async () => {
    for await (const frame of stream) if (frame.type === type) resolve(frame)
  })().then(
    () => reject(new Error(`The ask had no frame ${type}.`)),
    (error: unknown) => reject(error),
  )
  return { frame: await promise, over }
}

function ofFleetRuns({ client, machine }: World): Record<string, () => Promise<Way>> {
  const begun = async () => {
    const run = fleetRunOf(randomUUID(), [machine.id])
    const { epoch } = await client.fleetRuns.create(run)
    return { runId: run.runId, epoch }
  }
  return {
    'POST /api/fleet-runs/{run}/rows': async () => {
      const { runId, epoch } = await begun()
      return { places: [runId], body: { epoch, rows: [], state: 'ended' } }
    },
    'POST /api/fleet-runs/{run}/pause': async () => ({ places: [(await begun()).runId], body: {} }),
    'POST /api/fleet-runs/{run}/continue': async () => {
      const { runId } = await begun()
      await client.fleetRuns.pause(runId)
      return { places: [runId] }
    },
    'POST /api/runs/{run}/entries': async () => {
      const runId = randomUUID()
      const about = { runId, machineId: machine.id, agentType: 'terminal', model: 'a:b', title: 'Look' } as const
      await client.runs.create({ ...about, entry: { v: 1, type: 'run_started' } })
      return { places: [runId], body: { index: 1, entries: [{ v: 1, type: 'step_started' }] } }
    },
  }
}

function ofPeople(world: World): Record<string, () => Promise<Way>> {
  const codeAt = (secret: string, offsetMs = 0) => new TOTP({ secret }).generate({ timestamp: Date.now() + offsetMs })
  const withTotp = async (name: string) => {
    const person = await invitePerson(world, name)
    const { secret } = await person.client.login.setUpTotp()
    return { ...person, secret }
  }
  return {
    'POST /api/totp/confirm': async () => {
      const { token, secret } = await withTotp('confirming')
      return { token, body: { code: codeAt(secret) } }
    },
    'POST /api/totp/remove': async () => {
      const { token, secret, client } = await withTotp('removing')
      await client.login.confirmTotp(codeAt(secret))
      // Each code is good once.
      return { token, body: { code: codeAt(secret, 30_000) } }
    },
    'DELETE /api/fleets/{fleet}/members/{user}/totp': async () => {
      const { fleetId } = await world.client.me()
      const { id, secret, client } = await withTotp('losing')
      await client.login.confirmTotp(codeAt(secret))
      return { places: [fleetId, id] }
    },
    'DELETE /api/login/sessions/{session}': async () => {
      const { token, sessionId } = await invitePerson(world, 'leaving')
      return { token, places: [sessionId] }
    },
    'POST /api/login/code': () => Promise.resolve({ token: null, body: { email: 'ann@example.com' } }),
  }
}

function ofSchedules({ client }: World): Record<string, () => Promise<Way>> {
  return {
    'POST /api/fleets/{fleet}/schedules/{schedule}/runs/{run}/cancel': async () => {
      const { fleetId } = await client.me()
      const { id } = await client.schedules.create({ name: 'sleep', cronExpr: NEVER, command: 'sleep 1000' })
      const { jobId } = await client.schedules.trigger(id)
      return { places: [fleetId, id, jobId] }
    },
  }
}

/** What changes nothing, though it is no GET. */
function ofNothing({ machine }: World): Record<string, () => Promise<Way>> {
  return {
    'POST /api/policy/test': () => Promise.resolve({ body: { calls: [{ command: 'uptime' }] } }),
    'POST /api/machines/ping': () => Promise.resolve({ body: { machine_ids: [machine.id] } }),
  }
}
