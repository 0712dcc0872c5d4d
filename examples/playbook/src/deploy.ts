import { playbook, step } from 'cmdop'
import { z } from 'zod'

export default playbook('deploy', {
  inputs: z.object({ version: z.string(), folder: z.string() }),
  steps: ({ version, folder }) => {
    const before = step.exec('before', ['cat', `${folder}/version`])
    return [
      before,
      step.exec('switch', `echo ${version} > ${folder}/version`, {
        waves: [1, '100%'], // a canary first
        rollback: ({ valueOf }) => `echo ${valueOf(before).stdout.trim()} > ${folder}/version`,
      }),
      step.check('answers', `grep -q '^2' ${folder}/version`, { everyMs: 200, atMostMs: 2_000 }),
    ]
  },
})
