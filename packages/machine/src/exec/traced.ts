import type { ExecParams, Open } from '@cmdop/protocol'

/** https://www.w3.org/TR/trace-context/#traceparent-header, of version 00. */
const form = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** Gives a command the trace that its caller is in, as `TRACEPARENT`, unless it was given one. */
export function traced(params: ExecParams, { traceparent }: Pick<Open, 'traceparent'>): ExecParams {
  if (traceparent === undefined || !form.test(traceparent)) return params
  return { ...params, env: { TRACEPARENT: traceparent, ...params.env } }
}
