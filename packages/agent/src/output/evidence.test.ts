import { expect, test } from 'vitest'
import * as z from 'zod'
import { scriptedWorld, shell } from '../testing/scripted-world.ts'

const Health = z.object({ host: z.string(), load: z.number(), note: z.string().optional() })
const give = (result: unknown, evidence: unknown) => ({ tool: 'final_result', input: { result, evidence } })

test('each field cites the calls it rests on, and the result names them by id', async () => {
  using world = scriptedWorld([
    { calls: [shell('hostname'), shell('cat /proc/loadavg')] },
    { calls: [give({ host: 'web-1', load: 1 }, { host: ['c1'], load: ['c1', 'c2'] })] },
  ])
  const result = await world.agent.run('Check', { outputSchema: Health, evidence: true })
  expect(result).toMatchObject({
    output: { host: 'web-1', load: 1 },
    evidence: { host: ['call-1-1'], load: ['call-1-1', 'call-1-2'] },
  })
  expect(world.seen[1]?.toolResults[0]?.text).toMatch(/^\[call c1\]\n/)
})

test('a field without evidence, a call that never was and one that failed go back to the model', async () => {
  using world = scriptedWorld([
    { calls: [{ tool: 'run_command', input: { command: ['no-such-program-here'] } }, shell('true')] },
    { calls: [give({ host: 'web-1', load: 1 }, { host: ['c1'], load: ['c7'] })] },
    { calls: [give({ host: 'web-1', load: 1, note: 'x' }, { host: ['c2'], load: ['c2'] })] },
    { calls: [give({ host: 'web-1', load: 1 }, { host: ['c2'], load: ['c2'] })] },
  ])
  const result = await world.agent.run('Check', { outputSchema: Health, evidence: true })
  expect(world.seen[2]?.toolResults.at(-1)?.text).toContain(
    '- evidence.host: "c1" is no call of this run that succeeded; there are c2',
  )
  expect(world.seen[2]?.toolResults.at(-1)?.text).toContain('- evidence.load: "c7"')
  expect(world.seen[3]?.toolResults.at(-1)?.text).toContain('- evidence.note: names no call')
  expect(result).toMatchObject({ attempts: 3, repaired: true })
})

test('an answer that is no object cites as a whole', async () => {
  using world = scriptedWorld([{ calls: [shell('true')] }, { calls: [give(['a'], { result: ['c1'] })] }])
  const result = await world.agent.run('Check', { outputSchema: z.array(z.string()), evidence: true })
  expect(result).toMatchObject({ output: ['a'], evidence: { result: ['call-1-1'] } })
})
