/** What the benchmark takes from its environment: the one place that reads it. */
export function readSearchPath(): string {
  return process.env['PATH'] ?? ''
}
