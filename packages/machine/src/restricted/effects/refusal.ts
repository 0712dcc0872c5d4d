import { CmdopError, type EffectList, type EffectRefusal, type ExecEnd } from '@cmdop/protocol'

/** Bytes of paths in a refusal: it is a part of a command's end, which has 16 KiB. */
const MAX_PATH_BYTES = 4096

/** The effect breaks the restrictions it was made under. */
export function violatedRefusal(violations: EffectList['violations']): EffectRefusal {
  const rules = [...new Set(violations.map(({ rule }) => rule))].slice(0, 10).join(', ')
  const paths = [...new Set(violations.map(({ path }) => path))]
  const message = `Nothing was applied, because of what is forbidden here: ${rules}. A person can look at the effect and apply it.`
  return { code: 'restriction_violated', message, ...bounded(paths) }
}

/** The command was ended before its end: what it would have left is not known. */
export function cancelledRefusal(reason: Exclude<ExecEnd['reason'], 'exited'>): EffectRefusal {
  const why = { deadline: 'its time was over', cancelled: 'it was cancelled', lost: 'the daemon ended under it' }[
    reason
  ]
  return refusal('cancelled', `Nothing was applied: the command was ended before its end, ${why}.`)
}

/** Its sandbox was ended from outside, and the command with it: that it had come to its end is not known. */
export function lostRefusal(): EffectRefusal {
  return refusal('cancelled', 'Nothing was applied: the sandbox of the command was ended from outside.')
}

/** An apply of it was interrupted, and could not be brought to an end at the start of the daemon. */
export function unfinishedRefusal(): EffectRefusal {
  const message =
    'An apply was interrupted, and could not be taken back, as a disk that it was on is not there. Bring it back, and start the daemon again.'
  return refusal('server', message)
}

/** Its view held more than it may. */
export function tooLargeRefusal(): EffectRefusal {
  return refusal('no_space', 'Nothing was applied: the command was ended because its view grew over limits.viewBytes.')
}

const codes: readonly string[] = ['effect_conflict', 'permission', 'no_space'] satisfies EffectRefusal['code'][]

/** It could not be applied. */
export function failedRefusal(error: unknown): EffectRefusal {
  if (!(error instanceof CmdopError) || !codes.includes(error.code))
    return refusal('server', 'Nothing was applied: the machine met a fault of its own; its log says more.')
  const { paths } = (error.details ?? {}) as { paths?: unknown }
  const named = Array.isArray(paths) ? paths.filter((path) => typeof path === 'string') : []
  return { code: error.code as EffectRefusal['code'], message: error.message.slice(0, 1000), ...bounded(named) }
}

function refusal(code: EffectRefusal['code'], message: string): EffectRefusal {
  return { code, message, paths: [], pathCount: 0 }
}

function bounded(all: readonly string[]): Pick<EffectRefusal, 'paths' | 'pathCount'> {
  const paths: string[] = []
  let bytes = 0
  for (const path of all) {
    bytes += Buffer.byteLength(JSON.stringify(path))
    if (bytes > MAX_PATH_BYTES) break
    paths.push(path)
  }
  return { paths, pathCount: all.length }
}
