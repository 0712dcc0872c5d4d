/** `*` stands for any characters, `?` for one. Goes back to the last `*` only, so that no pattern takes long. */
export function fitsPattern(pattern: string, name: string): boolean {
  let [at, star, from] = [0, -1, 0]
  for (let index = 0; index < name.length;) {
    if (pattern[at] === '*') {
      star = at
      from = index
      at += 1
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[index])) {
      at += 1
      index += 1
    } else if (star !== -1) {
      from += 1
      index = from
      at = star + 1
    } else return false
  }
  return /^\**$/.test(pattern.slice(at))
}
