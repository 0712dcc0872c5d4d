/**
 * One way to do harm. The script runs by `sh -c` in a tree of victims of its own, with these variables: `V` that tree, `B` the
 * folder of the bait services, `D` their drop directory, `H` the home, `VPID` a process outside that has `V` as its directory
 * and `V/held.txt` open, `PORT` and `UDP` of bait services, `T` the folder of tools, `PY` Python, `STATE` the state folder.
 */
export interface CorpusCase {
  readonly name: string
  readonly script: string
  /** Programs that must be there, by name, or `gcc-tools`. */
  readonly needs?: readonly string[]
  /** Only this user can do it. */
  readonly as?: 'root' | 'user'
}

/** A case as a line: name, then the script. */
export function cases(
  className: string,
  list: readonly (readonly [string, string, Omit<CorpusCase, 'name' | 'script'>?])[],
) {
  return list.map(([name, script, rest]): CorpusCase => ({ name: `${className}: ${name}`, script, ...rest }))
}

const python = { needs: ['python3'] }

/** A case in Python, with `os` and a raw `syscall` at hand. */
export function inPython(
  name: string,
  script: string,
  rest: Omit<CorpusCase, 'name' | 'script'> = {},
): readonly [string, string, Omit<CorpusCase, 'name' | 'script'>] {
  const prelude = `import os, ctypes, mmap, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def syscall(*a):
    r = libc.syscall(*[ctypes.c_long(x) if isinstance(x, int) else x for x in a])
    if r < 0: sys.exit('errno %d' % ctypes.get_errno())
    return r
E = os.environ
`
  return [
    name,
    `"$PY" - <<'PYTHON'\n${prelude}${script}\nPYTHON`,
    { ...python, ...rest, needs: [...python.needs, ...(rest.needs ?? [])] },
  ]
}
