import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { execExitCodes, exitCodes } from '../packages/cli/src/exit-codes.ts'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8')
const examples = readdirSync(`${root}examples`, { recursive: true, encoding: 'utf8' }).filter(
  (path) => /\/src\/.*\.ts$/.test(path) && !path.includes('node_modules'),
)
const pages = [
  'README.md',
  ...readdirSync(`${root}docs`).map((name) => `docs/${name}`),
  ...readdirSync(`${root}packages`).map((name) => `packages/${name}/README.md`),
  ...readdirSync(`${root}examples`, { recursive: true, encoding: 'utf8' })
    .filter((path) => /^([\w-]+\/)?README\.md$/.test(path))
    .map((path) => `examples/${path}`),
]

test.each(pages)('every TypeScript fence of %s stands in an example that is compiled and run', (page) => {
  const sources = examples.map((path) => withoutIndent(read(`examples/${path}`)))
  for (const [, code = ''] of read(page).matchAll(/```ts\n([\s\S]*?)```/g)) {
    expect(sources.some((source) => source.includes(withoutIndent(code)))).toBe(true)
  }
})

test.each(pages)('every link of %s leads somewhere', (page) => {
  const folder = page.includes('/') ? page.slice(0, page.lastIndexOf('/') + 1) : ''
  for (const [, target = ''] of read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)) {
    expect(() => readdirSync(`${root}${folder}`)).not.toThrow()
    expect(exists(`${folder}${target}`), `${page} links to ${target}`).toBe(true)
  }
})

test('the exit codes of docs/cli.md are those of the code', () => {
  const rows = [...read('docs/cli.md').matchAll(/^\| (\d+) +\| (\w+) +\|/gm)].map(([, code, name]) => [
    name,
    Number(code),
  ])
  const { signalBase: _, ...exec } = execExitCodes
  expect(rows.slice(0, Object.keys(exitCodes).length)).toEqual(Object.entries(exitCodes))
  expect(Object.fromEntries(rows.slice(Object.keys(exitCodes).length))).toEqual(exec)
})

function exists(path: string): boolean {
  try {
    readFileSync(`${root}${path}`)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EISDIR'
  }
}

function withoutIndent(code: string): string {
  return code
    .trim()
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
}
