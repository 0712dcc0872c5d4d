/**
 * Every code an error of CMDOP can carry. One list: the type, the HTTP status, whether a retry can help and the page
 * `docs/errors.md` all come from it.
 *
 * `retryable`: `always` = the same call may be sent again as it is; `idempotent` = only when repeating it cannot act
 * twice (a read, or a call with an idempotency key or call id); `never` = it would fail again.
 * `status` is the HTTP status of the error body; codes that never cross HTTP carry the status a gateway would use.
 */
export const errorCodes = {
  validation: { status: 422, retryable: 'never', meaning: 'The input does not have the shape that is asked for.' },
  auth: { status: 401, retryable: 'never', meaning: 'The credential is missing, wrong, expired or revoked.' },
  permission: { status: 403, retryable: 'never', meaning: 'The principal is known, but may not do this.' },
  not_found: { status: 404, retryable: 'never', meaning: 'No such object, or one of another fleet.' },
  ambiguous: {
    status: 409,
    retryable: 'never',
    meaning: 'The reference fits several machines; the candidates are in `details`.',
  },
  conflict: { status: 409, retryable: 'never', meaning: 'The object is not in a state that allows this.' },
  rate_limit: { status: 429, retryable: 'always', meaning: 'Too many calls; wait as long as the answer says.' },
  server: { status: 500, retryable: 'idempotent', meaning: 'The relay or the machine met a fault of its own.' },
  connection: {
    status: 502,
    retryable: 'idempotent',
    meaning: 'The relay cannot be reached, or the connection was lost during the call.',
  },
  unavailable: {
    status: 503,
    retryable: 'always',
    meaning: 'The relay is up, but the machine is offline or a part is shutting down; nothing ran.',
  },
  timeout: { status: 504, retryable: 'idempotent', meaning: 'No answer came within `timeoutMs`.' },
  deadline: {
    status: 504,
    retryable: 'never',
    meaning: 'The command or run did not end by its deadline and was stopped.',
  },
  expired: {
    status: 410,
    retryable: 'never',
    meaning: 'The call came after the instant by which it had to begin (`notAfter`); nothing ran.',
  },
  cancelled: { status: 499, retryable: 'never', meaning: 'The caller cancelled; what ran was stopped.' },
  lost: {
    status: 502,
    retryable: 'never',
    meaning: 'The daemon of the machine ended under the command; what was left of it was stopped.',
  },
  unknown: {
    status: 502,
    retryable: 'never',
    meaning: 'What became of a call that was in flight is not known, so it was not run again.',
  },
  session_ended: { status: 410, retryable: 'never', meaning: 'The session is over; its recording is kept.' },
  session_lost: {
    status: 410,
    retryable: 'never',
    meaning: 'The daemon of the machine ended under the session; its recording is kept up to then.',
  },
  input_overflow: {
    status: 429,
    retryable: 'never',
    meaning: 'The program in the session does not read its input; what is over the limit was not taken.',
  },
  recording_failed: {
    status: 507,
    retryable: 'never',
    meaning: 'The session or command could not be recorded, and its policy says that it must be.',
  },
  integrity: { status: 422, retryable: 'never', meaning: 'The content is not what it was announced to be (SHA-256).' },
  no_space: {
    status: 507,
    retryable: 'never',
    meaning: 'The disk is full or a quota is reached; nothing was put in place.',
  },
  effect_conflict: {
    status: 409,
    retryable: 'never',
    meaning:
      'The disk or the view is not what the effect was shown for; nothing was applied. `details.paths` says where.',
  },
  config: { status: 400, retryable: 'never', meaning: 'A setting is missing or wrong; the message names it.' },
  unsupported: {
    status: 501,
    retryable: 'never',
    meaning: 'This part of the system is too old, or cannot do this here.',
  },
  protocol: {
    status: 400,
    retryable: 'never',
    meaning: 'The peer broke the channel protocol; the connection or channel was closed.',
  },
  frame_too_large: { status: 413, retryable: 'never', meaning: 'A frame or message is over its limit.' },
  flow_control: {
    status: 400,
    retryable: 'never',
    meaning: 'The peer sent more than it was granted; the channel was reset.',
  },
  slow_peer: {
    status: 503,
    retryable: 'idempotent',
    meaning: 'The peer does not read what it asked for; the connection was closed.',
  },
  permit: {
    status: 403,
    retryable: 'never',
    meaning: 'The machine refused the permit: bad signature, expired, used, or for something else.',
  },
  restriction_unenforceable: {
    status: 422,
    retryable: 'never',
    meaning: 'The kernel of the machine cannot hold a restriction; nothing ran. `details` say what is missing.',
  },
  restriction_violated: {
    status: 403,
    retryable: 'never',
    meaning: 'What was done breaks a restriction; nothing of it was applied. `details.paths` says what.',
  },
  command_not_found: {
    status: 422,
    retryable: 'never',
    meaning: 'The machine has no such program on its PATH, or not in the version that a skill is for.',
  },
  exec_failed: {
    status: 422,
    retryable: 'never',
    meaning: 'The program could not be started; `details.errno` says why.',
  },
  skill_failed: {
    status: 422,
    retryable: 'never',
    meaning: 'The executable of a skill failed, or did not give what its skill says; `details` have what it gave.',
  },
  schema_invalid: {
    status: 422,
    retryable: 'never',
    meaning: 'The output schema is empty or cannot be expressed as JSON Schema.',
  },
  model: {
    status: 502,
    retryable: 'idempotent',
    meaning: 'The model server failed, broke its stream or refused the call.',
  },
  model_refused: {
    status: 422,
    retryable: 'never',
    meaning: 'The model cannot fill the schema; the fields are named.',
  },
  output_invalid: {
    status: 422,
    retryable: 'never',
    meaning: 'The model did not give a value that fits the schema within the allowed repairs.',
  },
  approval_required: {
    status: 428,
    retryable: 'never',
    meaning: 'A person has to approve this first; nothing ran. `details.approvalId` names the question.',
  },
  approval_denied: {
    status: 403,
    retryable: 'never',
    meaning: 'A person rejected this, or nobody approved it in time; nothing ran.',
  },
  approval_void: {
    status: 409,
    retryable: 'never',
    meaning: 'The approval is for something else, used up, expired or withdrawn; nothing ran.',
  },
  policy_denied: {
    status: 403,
    retryable: 'never',
    meaning: 'A rule of the policy denies this; nothing ran. `details.rule` names it.',
  },
  quarantined: {
    status: 409,
    retryable: 'never',
    meaning: 'Two daemons use the key of this machine at once; neither may run anything.',
  },
  disabled: {
    status: 403,
    retryable: 'never',
    meaning: 'The machine is disabled at the relay: its daemon may not connect, and nothing runs there.',
  },
  moved: {
    status: 409,
    retryable: 'never',
    meaning: 'The machine is in another fleet now: its daemon ends what runs there, and connects again.',
  },
  pin_denied: { status: 403, retryable: 'never', meaning: 'The PIN of the machine is wrong, or it is locked out.' },
  pin_required_timeout: {
    status: 403,
    retryable: 'never',
    meaning: 'The machine asks for its PIN, and none came in time.',
  },
  budget: { status: 429, retryable: 'never', meaning: 'The run used up its budget before it had an answer.' },
} as const satisfies Record<string, ErrorCodeEntry>

/** A code of the table above. */
export type ErrorCode = keyof typeof errorCodes

/** Whether a retry can help: see the table's description. */
export type Retryable = 'always' | 'idempotent' | 'never'

/** One row of the table of error codes. */
export interface ErrorCodeEntry {
  readonly status: number
  readonly retryable: Retryable
  readonly meaning: string
}

/** True for a string that is a known error code. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(errorCodes, value)
}

/** Decides for one call whether sending it again is safe and can help. */
export function isRetryable(code: ErrorCode, call: { idempotent: boolean }): boolean {
  const policy: Retryable = errorCodes[code].retryable
  return policy === 'always' || (policy === 'idempotent' && call.idempotent)
}
