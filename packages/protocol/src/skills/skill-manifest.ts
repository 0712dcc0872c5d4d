import { z } from 'zod'
import { systemText } from '../methods/paths.ts'
import { schemaIssue } from './skill-schema.ts'
import { isVersionIn } from './version-range.ts'

/** Name of a skill: of its folder, and in addresses. */
export const SkillName = z
  .string()
  .max(64)
  .regex(/^[a-z0-9][a-z0-9-]*$/, 'Expected lower-case letters, digits and dashes, such as disk-usage.')
export type SkillName = z.infer<typeof SkillName>

/** A version in the form of https://semver.org: `1.4.0`, `2.0.0-rc.1`. */
export const SkillVersionName = z
  .string()
  .max(64)
  .regex(
    /^(?:0|[1-9]\d{0,8})\.(?:0|[1-9]\d{0,8})\.(?:0|[1-9]\d{0,8})(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/,
    'Expected a version such as 1.4.0.',
  )

/** Bytes of the input of a tool as JSON at most: it is one argument of a command. */
export const MAX_SKILL_INPUT_BYTES = 65_536

/** Tools of one skill at most. */
const MAX_TOOLS = 32

const line = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^\P{Cc}*$/u, 'Expected one line of text.')
const program = z.string().regex(/^[\w][\w.+-]{0,63}$/, 'Expected the name of a program on the PATH, such as openssl.')
const variable = z.string().regex(/^[A-Za-z_]\w{0,127}$/, 'Expected the name of a variable, such as API_TOKEN.')
const versions = line(64).refine(
  (range) => isVersionIn('0', range) !== undefined,
  'Expected a range of versions, such as >=20 or >=3.9,<4.',
)
const requirement = z.string().regex(/^[\w.+@/\-[\]<>=~!^*, ]{1,200}$/, 'Expected the name of a package.')

/** A JSON Schema of an object, by which anything is checked in a bounded number of steps: see {@link schemaIssue}. */
const ObjectSchema = z.record(z.string(), z.unknown()).superRefine((schema, context) => {
  const message = schemaIssue(schema)
  if (message !== undefined) context.addIssue({ code: 'custom', message })
})

/** An executable that a skill offers. It reads one JSON object, writes one, `{ "ok": true, ... }`, and exits with 0, or 1. */
export const SkillTool = z.object({
  name: z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, 'Expected a name such as check or list_disks.'),
  /** What it does, for whoever chooses among tools. */
  description: line(1024),
  /** The command. A word that begins with `./` is a file of the skill; the first of the others is a program on the PATH. */
  argv: z.array(systemText.min(1).max(4096)).min(1).max(64),
  /** JSON Schema of its input. */
  input: ObjectSchema.default({ type: 'object' }),
  /** JSON Schema of its output, `ok` included. */
  output: ObjectSchema.default({ type: 'object' }),
  /** Where it reads its input: its last argument, or standard input, which nobody can approve in advance. */
  reads: z.enum(['argument', 'stdin']).default('argument'),
  /** Seconds after which it is stopped. */
  timeout_seconds: z.number().int().min(1).max(3600).default(60),
})
export type SkillTool = z.infer<typeof SkillTool>

/** The front matter of a `SKILL.md`. What it does not name is passed over: the format is open. */
export const SkillManifest = z.object({
  name: SkillName,
  /** What it is for and when to use it, for whoever chooses among skills. */
  description: line(1024),
  version: SkillVersionName,
  author: line(200).optional(),
  /** The model that it was written for: a name or a tier. */
  model: line(100).optional(),
  tags: z.array(SkillName).max(10).default([]),
  /** What the machine has to have. It is looked for before anything runs. */
  requires: z
    .object({ bins: z.array(program).max(64).default([]), env: z.array(variable).max(64).default([]) })
    .default({ bins: [], env: [] }),
  /** Versions of what it is written in, see {@link isVersionIn}: `{ node: ">=20" }`. They are looked at before anything runs. */
  runtime: z.object({ python: versions.optional(), node: versions.optional() }).default({}),
  /** Packages that it uses, by name. They are listed, and never installed. */
  packages: z
    .object({ pip: z.array(requirement).max(64).default([]), npm: z.array(requirement).max(64).default([]) })
    .default({ pip: [], npm: [] }),
  /** A line for `/bin/sh -c` in the folder of the skill, which ends with 0 where it works; run after it was installed. */
  run_check: line(2048).optional(),
  tools: z.array(SkillTool).max(MAX_TOOLS).default([]),
})
export type SkillManifest = z.infer<typeof SkillManifest>

/** The programs that have to be there: what it requires, and what it is written in. */
export function requiredBins({ requires, runtime }: Pick<SkillManifest, 'requires' | 'runtime'>): string[] {
  return [...new Set([...requires.bins, ...requiredVersions({ runtime }).map(({ bin }) => bin)])]
}

/** What it is written in: the program, and the range of its versions. */
export function requiredVersions({ runtime }: Pick<SkillManifest, 'runtime'>): { bin: string; range: string }[] {
  const { node, python } = runtime
  return [
    ...(node === undefined ? [] : [{ bin: 'node', range: node }]),
    ...(python === undefined ? [] : [{ bin: 'python3', range: python }]),
  ]
}

/** The version that comes later, by https://semver.org/#spec-item-11; build metadata does not count. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [parts(one), parts(other)]
  for (const index of [0, 1, 2]) {
    const difference = (a.numbers[index] ?? 0) - (b.numbers[index] ?? 0)
    if (difference !== 0) return Math.sign(difference)
  }
  if (a.before.length === 0 || b.before.length === 0) return Math.sign(b.before.length - a.before.length)
  for (let index = 0; index < Math.max(a.before.length, b.before.length); index += 1) {
    const difference = compareIdentifiers(a.before[index], b.before[index])
    if (difference !== 0) return difference
  }
  return 0
}

function parts(version: string): { numbers: number[]; before: string[] } {
  const plain = version.split('+', 1)[0] ?? ''
  const dash = plain.indexOf('-')
  const core = dash < 0 ? plain : plain.slice(0, dash)
  return { numbers: core.split('.').map(Number), before: dash < 0 ? [] : plain.slice(dash + 1).split('.') }
}

function compareIdentifiers(one: string | undefined, other: string | undefined): number {
  if (one === other) return 0
  if (one === undefined) return -1
  if (other === undefined) return 1
  const [isNumber, isOtherNumber] = [/^\d+$/.test(one), /^\d+$/.test(other)]
  if (isNumber && isOtherNumber) return Math.sign(Number(one) - Number(other))
  if (isNumber !== isOtherNumber) return isNumber ? -1 : 1
  return one < other ? -1 : 1
}
