import { Client } from '@cmdop/core'
import { loggedPlaybook } from '../logged-playbook.ts'
import { say, settings } from './run-until-told.ts'

/** Runs the playbook over all machines, or goes on with it, and says each event of that; ends by itself, or by being killed. */
const { baseUrl, token, runId, inputs, isBegun } = settings() as {
  baseUrl: string
  token: string
  runId: string
  inputs: { folder: string; fails: boolean; asks?: boolean }
  isBegun: boolean
}
await using client = new Client({ baseUrl, token })
say('ready')
const run = isBegun ? loggedPlaybook.resume(client, runId) : loggedPlaybook.run(client, { on: '*', inputs, runId })
for await (const event of run) say(event.type === 'step-event' ? event.event.type : event.type)
