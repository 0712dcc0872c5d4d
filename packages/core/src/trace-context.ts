import { isSpanContextValid, trace } from '@opentelemetry/api'

/** What is active for OpenTelemetry, as a W3C `traceparent`; undefined where nobody traces. */
export function activeTraceparent(): string | undefined {
  const span = trace.getActiveSpan()?.spanContext()
  if (span === undefined || !isSpanContextValid(span)) return undefined
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`
}
