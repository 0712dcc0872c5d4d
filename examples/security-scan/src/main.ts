/**
 * An operator audits this machine: permissions, open ports, outdated packages. The kernel keeps it from changing anything. The result
 * is typed, and printed as SARIF 2.1.0 for code scanning.
 */
import { runStory, startSystem, storyArguments } from '@cmdop/example-local-system'
import { faultNames, scanStory } from './story.ts'

await runStory(async (story) => {
  const { fault, seed } = storyArguments(faultNames)
  await using system = await startSystem({ ...story, machines: { 'host-1': { role: 'app' } } })
  const { sarif } = await scanStory(system, { ...story, fault, seed, systemPackages: true })
  story.say(JSON.stringify(sarif, null, 2))
})
