/** An absolute path without empty, `.` and `..` parts; undefined when it is relative to an unknown directory. Links are not followed. */
export function normalPath(path: string, cwd: string | undefined): string | undefined {
  if (!path.startsWith('/') && cwd === undefined) return undefined
  const whole = path.startsWith('/') ? path : `${cwd ?? ''}/${path}`
  if (!whole.includes('//') && !whole.includes('/.') && !(whole.length > 1 && whole.endsWith('/'))) return whole
  const parts: string[] = []
  for (const part of whole.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}
