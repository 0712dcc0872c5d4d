import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseSkill } from './parse-skill.ts'
import { checkSkillFiles, skillDigestText, type SkillFile } from './skill-files.ts'
import { compareVersions } from './skill-manifest.ts'
import {
  collidingPaths,
  MAX_SKILL_BYTES,
  MAX_SKILL_FILES,
  MAX_SKILL_TEXT_BYTES,
  skillPathIssue,
} from './skill-paths.ts'

const front = (more: string) => `---\nname: some\ndescription: Some.\nversion: 1.0.0\n${more}\n---\nBody.\n`
const file = (path: string, content = '', change: Partial<SkillFile> = {}): SkillFile => ({
  path,
  content,
  encoding: 'utf8',
  executable: false,
  ...change,
})
const issuesOf = (text: string) => {
  const parsed = parseSkill(text)
  return 'issues' in parsed ? parsed.issues : []
}

describe('a SKILL.md', () => {
  test('is read, with what it leaves out and what it does not know passed over', () => {
    expect(parseSkill(front('license: MIT\nallowed-tools: Read'))).toEqual({
      manifest: {
        name: 'some',
        description: 'Some.',
        version: '1.0.0',
        tags: [],
        requires: { bins: [], env: [] },
        runtime: {},
        packages: { pip: [], npm: [] },
        tools: [],
      },
      body: 'Body.\n',
    })
    expect(parseSkill(front('').replaceAll('\n', '\r\n'))).toMatchObject({ body: 'Body.\r\n' })
  })

  test.each([
    ['no front matter', 'Text', 1, 'front matter'],
    ['front matter without an end', '---\nname: some\n', 1, 'front matter'],
    ['a name with a slash', front('').replace('some', 'a/b'), 2, 'name'],
    ['a version that is none', front('').replace('1.0.0', '1.0'), 4, 'version'],
    ['a field that is there twice', front('name: other'), 5, 'unique'],
    ['YAML that is none', front('tags: [a'), 6, ''],
    ['an alias', front('tags: &a [x]\nmore: *a'), 2, 'Alias'],
    [
      'a tool with a pattern',
      front(tool('input: { type: object, properties: { a: { type: string, pattern: "(a+)+$" } } }')),
      9,
      'pattern',
    ],
    ['a tool with a schema that is of no object', front(tool('output: { type: string }')), 9, 'object'],
    ['a tool with a schema that cannot be checked', front(tool('input: { type: object, if: {} }')), 9, ''],
    ['a tool that is elsewhere', front(tool('x: y').replace('[sh]', '[/bin/sh]')), 8, './'],
    ['two tools of one name', front(`${tool('x: y')}\n${tool('x: y').replace('tools:\n', '')}`), 10, 'two tools'],
    ['a required program that is no name', front('requires: { bins: ["a b"] }'), 5, 'requires.bins'],
    ['a description of two lines', front('').replace('Some.', '"a\\nb"'), 3, 'description'],
  ])('is refused with the line: %s', (_, text, line, message) => {
    const issues = issuesOf(text)
    expect(issues).toContainEqual({ path: 'SKILL.md', line, message: expect.stringContaining(message) as string })
  })

  test('is read in bounded time, however it is made', () => {
    const bombs = [
      `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, index) => `b${index}: &b${index} [*a,*a,*a,*a,*a,*a,*a,*a,*a]`).join('\n')}`,
      '['.repeat(30_000),
      `x: ${'{a: '.repeat(15_000)}`,
      '- '.repeat(30_000),
      Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
      `x: ${'"'.repeat(30_000)}`,
      'a: b\n'.repeat(12_000),
    ]
    for (const bomb of bombs) expect(Array.isArray(issuesOf(front(bomb)))).toBe(true)
    for (const bomb of bombs.slice(0, 4)) expect(issuesOf(front(bomb))).toHaveLength(1)
    expect(issuesOf(`---\n${'x'.repeat(MAX_SKILL_TEXT_BYTES)}\n---`)).toHaveLength(1)
  })

  test('gives what it says or what is wrong with it, and never throws', () => {
    const pieces = fc.constantFrom(
      'name: ',
      'a',
      '\n',
      '- ',
      '[',
      '{',
      ': ',
      '"',
      "'",
      '&x ',
      '*x',
      '!!js',
      '|',
      '>',
      '#',
      '\t',
      '---\n',
      '? ',
      '0x1',
      '~',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces, { maxLength: 60 }).map((some) => some.join('')),
        ),
        (yaml) => {
          const parsed = parseSkill(`---\n${yaml}\n---\n`)
          if ('issues' in parsed) expect(parsed.issues.length).toBeGreaterThan(0)
          else expect(parsed.manifest.name).toMatch(/^[a-z0-9]/)
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('the files of a skill', () => {
  test.each([
    '/etc/passwd',
    '../up',
    'a/../../b',
    './a',
    'a//b',
    'a/',
    '',
    'a\\b',
    'C:/x',
    'a\nb',
    'a\0b',
    '\u202Egnp.sh',
    'a/ b',
    'a ',
    'a.',
    'e\u0301',
    '\uD800',
    `${'a/'.repeat(12)}b`,
    'a'.repeat(241),
  ])('may not be at %j', (path) => {
    expect(skillPathIssue(path)).toBeDefined()
    expect(checkSkillFiles([file('SKILL.md', front('')), file(path, 'x')])).toHaveProperty('issues')
  })

  test.each([[['a/b', 'A/c']], [['a', 'A']], [['a', 'a/b']], [['a/b', 'a']], [['x/ﬁ', 'x/fi']], [['a', 'a']]])(
    'may not be as %j together',
    (paths) => {
      expect(collidingPaths(paths).size).toBe(1)
    },
  )

  test('are only in places below their folder, which no two share', () => {
    const names = fc.constantFrom('a', 'A', '..', '.', '', 'b', 'é', '/', '\\', 'c:', '\u0000', ' ')
    const paths = fc.array(
      fc.array(names, { minLength: 1, maxLength: 4 }).map((some) => some.join('/')),
      { maxLength: 6 },
    )
    fc.assert(
      fc.property(paths, (given) => {
        const checked = checkSkillFiles([file('SKILL.md', front('')), ...given.map((path) => file(path))])
        if ('issues' in checked) return
        const seen = checked.files.map(({ path }) => new URL(path.toLowerCase(), 'file:///skill/').pathname)
        expect(new Set(seen).size).toBe(given.length + 1)
        for (const path of seen) expect(path.startsWith('/skill/')).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  test('are bounded, are what their encoding says, and hold what the tools name', () => {
    const skill = file('SKILL.md', front(tool('x: y').replace('[sh]', '[./run.sh, ./missing]')))
    const many = Array.from({ length: MAX_SKILL_FILES }, (_, index) => file(`f${index}`))
    const large = Array.from({ length: 3 }, (_, index) => file(`f${index}`, 'x'.repeat(MAX_SKILL_BYTES / 2)))
    const given: SkillFile[][] = [
      [file('README.md')],
      [file('skill.md', front(''))],
      [skill, file('run.sh', '', { executable: true })],
      [skill, file('run.sh'), file('missing')],
      [file('SKILL.md', front('')), ...many],
      [file('SKILL.md', front('')), ...large],
      [file('SKILL.md', '\uD800')],
      [file('SKILL.md', front('')), file('b', 'no base64!', { encoding: 'base64' })],
      [file('SKILL.md', '/w==', { encoding: 'base64' })],
    ]
    for (const files of given) expect(checkSkillFiles(files)).toHaveProperty('issues')
    const whole = [skill, file('run.sh', 'AA==', { encoding: 'base64', executable: true }), file('missing')]
    expect(checkSkillFiles(whole)).toMatchObject({
      manifest: { name: 'some' },
      files: [{}, { data: new Uint8Array([0]) }, {}],
    })
  })

  test('have one digest, whatever their order, which content, path and right to be run change', () => {
    const entry = { path: 'a', sha256: '0'.repeat(64), executable: false, size: 1 }
    const other = { ...entry, path: 'b' }
    const text = skillDigestText([entry, other])
    expect(skillDigestText([other, entry])).toBe(text)
    for (const change of [{ path: 'c' }, { sha256: '1'.repeat(64) }, { executable: true }, { size: 2 }])
      expect(skillDigestText([{ ...entry, ...change }, other])).not.toBe(text)
  })
})

test('versions are in the order of semver.org', () => {
  const ordered = [
    '0.9.0',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.2.0',
    '1.10.0',
    '2.0.0',
  ]
  expect(ordered.toReversed().toSorted(compareVersions)).toEqual(ordered)
  expect(compareVersions('1.0.0+a', '1.0.0+b')).toBe(0)
})

function tool(more: string): string {
  return `tools:\n  - name: go\n    description: Does it.\n    argv: [sh]\n    ${more}`
}
