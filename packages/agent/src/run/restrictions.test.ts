import { expect, test } from 'vitest'
import { machineTools } from '../machine-tools.ts'
import { scriptedWorld, shell } from '../testing/scripted-world.ts'

const dryRun = { restrictions: { dryRun: true } }

test('restrictions that nothing would hold are refused before the model is asked', async () => {
  using world = scriptedWorld([])
  const refused = {
    code: 'restriction_unenforceable',
    details: { executed: false },
    result: { steps: [], effects: [] },
  }
  await expect(world.agent.run('Look', dryRun)).rejects.toMatchObject(refused)
  await expect(world.agent.conversation({ agentType: 'terminal', ...dryRun }).send('Look')).rejects.toMatchObject(
    refused,
  )
})

test('a restriction that is misspelt is refused, wherever it is given', async () => {
  using world = scriptedWorld([])
  const misspelt = { restrictions: { dryrun: true } as object }
  const refused = expect.objectContaining({ code: 'validation' })
  await expect(world.agent.run('Look', misspelt)).rejects.toEqual(refused)
  expect(() => world.agent.conversation(misspelt)).toThrow(refused)
  expect(() => machineTools(world.machine, misspelt)).toThrow(refused)
})

test('restrictions that restrict nothing need nothing', async () => {
  using world = scriptedWorld([{ calls: [shell('echo ran')] }, { text: 'It ran.' }])
  const { effects } = await world.agent.run('Look', { restrictions: { dryRun: false, network: 'host' } })
  expect([world.seen[1]?.toolResults[0]?.text, effects]).toEqual([expect.stringContaining('ran'), []])
})

test('an agent without a tool of the machine has nothing that is to be held', async () => {
  using world = scriptedWorld([{ text: 'Hello.' }])
  expect(await world.agent.run('Hello', { agentType: 'chat', ...dryRun })).toMatchObject({
    output: 'Hello.',
    effects: [],
  })
})

test('a route that is a function is refused under restrictions: it runs in this process', async () => {
  using world = scriptedWorld([])
  const routes = { own: { description: 'A function.', to: () => expect.fail('It was called.') } }
  await expect(world.agent.run('Do it', { agentType: 'router', routes, ...dryRun })).rejects.toMatchObject({
    code: 'restriction_unenforceable',
  })
})
