import { inspect } from 'node:util'
import { CmdopError } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import { createAgent } from '../agent.ts'
import type { Journal } from '../ports/journal.ts'
import { createRedactor } from '../redact/redactor.ts'
import { Secret } from '../redact/secret.ts'
import { localMachine } from '../testing/local-machine.ts'
import { sampleFacts } from '../testing/sample-facts.ts'
import { scriptedModel } from '../testing/scripted-model.ts'
import { withoutSecrets } from './own-function.ts'
import { failure, scriptedWorld, shell } from '../testing/scripted-world.ts'

const machine = localMachine(sampleFacts())

test('a gate that throws is named, and no secret in what it threw is kept, not even as a cause', async () => {
  const secret = new Secret('hunter2-super-secret-42')
  const inner = new Error(`denied for ${secret.reveal()}`)
  const thrown = Object.assign(new Error(`policy server said ${secret.reveal()}`, { cause: inner }), {
    request: { token: secret.reveal() },
  })
  const gate = { decide: () => Promise.reject(thrown) }
  using model = scriptedModel([{ calls: [shell('true')] }])
  const error = await failure(createAgent({ machine, model, gate, env: {}, secrets: [secret] }).run('Go'))
  expect(error).toMatchObject({
    code: 'server',
    message: 'The gate of this agent failed: policy server said [redacted]',
    cause: { message: 'policy server said [redacted]', cause: { message: 'denied for [redacted]' } },
  })
  expect(inspect(error, { depth: 20 })).not.toContain(secret.reveal())
})

test('a journal and a handler that throw are named, with what they threw as the cause', async () => {
  const reason = new Error('out of paper')
  const failing = () => {
    throw reason
  }
  const journal: Journal = { append: failing }
  using model = scriptedModel([{ text: 'Done.' }])
  expect(await failure(createAgent({ machine, model, journal, env: {} }).run('Go'))).toMatchObject({
    message: 'The journal of this agent failed: out of paper',
    cause: reason,
  })
  using world = scriptedWorld([
    { calls: [{ tool: 'final_result', input: { handler: 'fax', reason: 'R', task: 'T' } }] },
  ])
  const routes = { fax: { description: 'Sends it.', to: failing } }
  expect(await failure(world.agent.run('Go', { agentType: 'router', routes }))).toMatchObject({
    message: 'The handler fax failed: out of paper',
    cause: reason,
  })
})

test('secrets are cut out of details, of what an error gathers, and of a chain that bites its tail', () => {
  const secret = 'hunter2-hunter2'
  const redactor = createRedactor([secret])
  const tail: Error = new Error(`tail ${secret}`)
  const gathered = new AggregateError([new Error(`one ${secret}`), tail], 'many', { cause: tail })
  tail.cause = gathered
  const error = new CmdopError('server', 'It failed.', { details: { said: `no ${secret}` }, cause: gathered })
  const clean = withoutSecrets(error, redactor)
  expect(inspect(clean, { depth: 20, showHidden: true })).not.toContain(secret)
  expect(clean.details).toEqual({ said: 'no [redacted]' })
})
