import { readSkillFolder } from '@cmdop/core'
import type { SkillFile } from '@cmdop/protocol'
import type { Client } from '@cmdop/core'

/** The skill of the examples. */
export const diskUsage = new URL('../examples/skills/disk-usage', import.meta.url).pathname

/** Makes the skill of the examples and publishes it. */
export async function publishDiskUsage(client: Client) {
  await client.skills.create('Disk usage')
  return client.skills.publish('disk-usage', { files: await readSkillFolder(diskUsage) })
}

/** A skill with one tool, a shell script; `front` is more front matter. */
export function scriptSkill(name: string, script: string, front = ''): Required<SkillFile>[] {
  const skill = `---
name: ${name}
description: A skill of a test.
version: 1.0.0
${front}
tools:
  - name: go
    description: Does it.
    argv: [./go.sh]
    input: { type: object, properties: { word: { type: string } }, additionalProperties: false }
    output: { type: object, properties: { ok: { type: boolean }, word: { type: string } }, required: [ok] }
---
Call go.
`
  const file = { encoding: 'utf8' as const }
  return [
    { ...file, path: 'SKILL.md', content: skill, executable: false },
    { ...file, path: 'go.sh', content: `#!/bin/sh\n${script}\n`, executable: true },
  ]
}

/** Publishes such a skill, and puts it on a machine. */
export async function installScript(client: Client, machine: string, name: string, script: string, front = '') {
  await client.skills.create(name)
  await client.skills.publish(name, { files: scriptSkill(name, script, front) })
  return client.skills.install(name, { machine })
}
