/** `0.4 s` */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

/** `1 machine`, `200 machines` */
export function machines(count: number): string {
  return count === 1 ? '1 machine' : `${count} machines`
}
