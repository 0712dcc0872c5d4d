/** What a process that a test starts has of the environment: nothing of whoever runs the tests but the search path. */
export function ownEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '/', NODE_COMPILE_CACHE = '' } = process.env
  return { PATH, HOME, NODE_COMPILE_CACHE, XDG_CONFIG_HOME: '/nonexistent' }
}
