/** What a journal can keep of an output: a schema, or a function, may make anything of an answer. */
export function asJson(output: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(output ?? null)) as unknown
  } catch {
    return null
  }
}
