/** What the model does where no key is set: each step follows from what the tools have shown. */
import { type ScriptedCall, transcriptModel, type TranscriptResult, type TranscriptWork } from '@cmdop/agent/testing'
import { z } from 'zod'
import type { DeploymentResult } from './deployment-result.ts'

/** What deploy.ts gives it as context. */
const Sites = z.record(z.string(), z.object({ folder: z.string(), control: z.string() }))
type Site = z.infer<typeof Sites>[string]

export const standIn = transcriptModel(function* ({ prompt, context }) {
  const [, task, version = '', name = ''] = /^(Deploy|Roll back to) version (\S+) on ([\w-]+)/.exec(prompt) ?? []
  const site = Sites.parse(context)[name]
  if (site === undefined) throw new Error(`Nothing is known of ${name}.`)
  return task === 'Deploy' ? yield* deploy(site, version) : yield* rollBack(site, version)
})

const run = (command: string): ScriptedCall => ({ tool: 'run_command', input: { command } })
const isOk = ({ text }: TranscriptResult) => text.startsWith('exit code 0')
/** How long a command took, as its result begins. */
const seconds = ({ text }: TranscriptResult) => Number(/, (\d+) ms/.exec(text)?.[1] ?? 0) / 1000
const switchTo = ({ folder, control }: Site, version: string) =>
  run(`ln -sfn releases/${version} ${folder}/current && ${control} restart`)

function* deploy(site: Site, version: string): TranscriptWork<DeploymentResult> {
  const started = yield switchTo(site, version)
  if (!isOk(started))
    return {
      version,
      success: false,
      duration_seconds: seconds(started),
      tests_passed: 0,
      tests_failed: 0,
      rollback_needed: true,
      error: started.data.trim(),
    }
  const tested = yield run(`sh ${site.folder}/current/tests.sh ${site.folder}`)
  const [, passed, failed] = /(\d+) passed, (\d+) failed/.exec(tested.data) ?? []
  const success = isOk(tested)
  return {
    version,
    success,
    duration_seconds: seconds(started) + seconds(tested),
    tests_passed: Number(passed ?? 0),
    tests_failed: Number(failed ?? 0),
    rollback_needed: !success,
    error: success ? null : (/^not ok (.*)$/m.exec(tested.data)?.[1] ?? 'The tests did not run.'),
  }
}

function* rollBack(site: Site, version: string): TranscriptWork<{ version: string; error: string | null }> {
  const started = yield switchTo(site, version)
  const now = (yield run(`readlink ${site.folder}/current`)).data.trim().replace('releases/', '')
  return { version: now, error: isOk(started) ? null : started.data.trim() }
}
