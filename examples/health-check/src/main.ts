/**
 * The health of a fleet, as typed rows: an operator on each machine looks at its services, and those that are unhealthy are mended
 * by what a second person approves.
 */
import { runStory, startSystem, storyArguments } from '@cmdop/example-local-system'
import { faultNames } from './api.ts'
import { healthStory, machines } from './story.ts'

await runStory(async (story) => {
  const { fault, seed, ask } = storyArguments(faultNames)
  const labelled = Object.fromEntries(machines.map((name) => [name, { role: 'web' }]))
  await using system = await startSystem({ ...story, machines: labelled })
  await healthStory(system, { ...story, fault, seed, ask })
})
