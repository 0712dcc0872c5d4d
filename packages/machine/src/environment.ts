/** Variables of the daemon that its commands get; everything else, keys above all, stays with the daemon. */
const PASSED = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|SYSTEMROOT|COMSPEC|PATHEXT)$/

/** What the environment of every command starts from. */
export function commandEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && PASSED.test(entry[0]),
    ),
  )
}
