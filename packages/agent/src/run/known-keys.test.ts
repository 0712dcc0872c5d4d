import { expect, test } from 'vitest'
import { createAgent } from '../agent.ts'
import { scriptedWorld } from '../testing/scripted-world.ts'

test('an option that there is not is refused, with the one it may have meant', () => {
  using world = scriptedWorld([])
  const { agent } = world
  // As callers without types write them.
  const run = (options: object) => () => agent.runStream('Go', options)
  expect(run({ restriction: { noDelete: true } })).toThrow(
    'There is no option of a run "restriction". Did you mean restrictions?',
  )
  expect(run({ agent_type: 'planner' })).toThrow('There is no option of a run "agent_type". Did you mean agentType?')
  expect(run({ colour: 'red' })).toThrow(/There is no option of a run "colour"\. Use .*restrictions/)
  expect(() => agent.conversation({ buget: {} } as object)).toThrow('Did you mean budget?')
  const made = { ...world, env: {}, Gate: {} }
  expect(() => createAgent(made)).toThrow(expect.objectContaining({ code: 'validation' }))
})
