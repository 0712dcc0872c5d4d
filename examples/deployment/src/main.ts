/**
 * A new version of a small web service goes to three machines, one first. An operator on each switches to it and runs its tests, a second
 * person decides whether the others follow, and where anything fails every machine goes back.
 */
import { runStory, startSystem, storyArguments } from '@cmdop/example-local-system'
import { faultNames } from './release.ts'
import { deploymentStory, machines } from './story.ts'

await runStory(async (story) => {
  const { fault, seed, ask } = storyArguments(faultNames)
  const labelled = Object.fromEntries(machines.map((name) => [name, { role: 'web' }]))
  await using system = await startSystem({ ...story, machines: labelled })
  await deploymentStory(system, { ...story, fault, seed, ask })
})
