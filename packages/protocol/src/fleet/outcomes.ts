import { z } from 'zod'

/**
 * How a fleet run ended on one machine. `failure`: whether it counts for `maxFailures`; everything does that was tried and is
 * not a success, an unreachable machine too. `mayHaveRun`: whether anything may have happened on the machine.
 */
export const outcomes = {
  ok: {
    failure: false,
    mayHaveRun: true,
    meaning: 'It ran to its end, and its exit code is 0 or its result fits the schema.',
  },
  failed: {
    failure: true,
    mayHaveRun: true,
    meaning: 'It ran, and ended with another exit code, by a signal, or without a result.',
  },
  timeout: {
    failure: true,
    mayHaveRun: true,
    meaning: 'It did not end by its deadline; the machine stopped it, or does not answer.',
  },
  unreachable: {
    failure: true,
    mayHaveRun: false,
    meaning: 'The machine was offline, or not there any more; nothing ran.',
  },
  denied: { failure: true, mayHaveRun: false, meaning: 'Rights, a policy or a person refused it; nothing ran.' },
  skipped: {
    failure: false,
    mayHaveRun: false,
    meaning: 'The run stopped, or its time was over, before it came to this machine; nothing ran.',
  },
  cancelled: {
    failure: false,
    mayHaveRun: true,
    meaning: 'It was cancelled; its process group is gone, as the machine says.',
  },
  lost: {
    failure: true,
    mayHaveRun: true,
    meaning: 'It began, and the machine or its daemon was gone before its end.',
  },
  unknown: {
    failure: true,
    mayHaveRun: true,
    meaning: 'Whether it ran, or how it ended, is not known; it was not run again.',
  },
  unsupported: {
    failure: true,
    mayHaveRun: false,
    meaning: 'The machine cannot do it, or cannot hold its restrictions; nothing ran.',
  },
} as const satisfies Record<string, { failure: boolean; mayHaveRun: boolean; meaning: string }>

export type OutcomeName = keyof typeof outcomes
export const OutcomeName = z.enum(Object.keys(outcomes) as [OutcomeName, ...OutcomeName[]])

/** Whether it counts for `maxFailures`. */
export function isFailure(outcome: OutcomeName): boolean {
  return outcomes[outcome].failure
}
