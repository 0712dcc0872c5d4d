/** The environment of the process: the one place of the package that looks at it. */
export const processEnvironment: Readonly<Record<string, string | undefined>> = process.env
