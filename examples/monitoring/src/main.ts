/**
 * A loop watches two servers. Each round an operator measures and gives typed alerts; for what is critical somebody is paged, once, and told
 * when it is over.
 */
import { runStory, startSystem, storyArguments } from '@cmdop/example-local-system'
import { monitoringStory, servers } from './story.ts'
import { faultNames } from './worker.ts'

await runStory(async (story) => {
  const { fault, seed } = storyArguments(faultNames)
  const machines = Object.fromEntries(servers.map((name) => [name, { role: 'web' }]))
  await using system = await startSystem({ ...story, machines })
  await monitoringStory(system, { ...story, fault, seed })
})
