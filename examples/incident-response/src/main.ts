/**
 * A service is broken. An operator finds the cause in its log, its processes and its files, a second person approves each
 * command that changes something, and the service takes orders again.
 */
import { runStory, startSystem, storyArguments } from '@cmdop/example-local-system'
import { faultNames } from './faults.ts'
import { incident } from './story.ts'

await runStory(async (story) => {
  const { fault, seed, ask } = storyArguments(faultNames)
  await using system = await startSystem({ ...story, machines: { 'shop-1': { role: 'shop' } } })
  await incident(system, { ...story, fault, seed, ask })
})
