import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import type { SecurityFinding, SecurityScan } from './security-scan.ts'

const Message = z.strictObject({ text: z.string().min(1) })

const Result = z.strictObject({
  ruleId: z.string(),
  ruleIndex: z.int().min(0),
  level: z.enum(['none', 'note', 'warning', 'error']),
  message: Message,
  locations: z.array(
    z.strictObject({
      physicalLocation: z.strictObject({ artifactLocation: z.strictObject({ uri: z.url() }) }).optional(),
      logicalLocations: z.array(z.strictObject({ name: z.string(), kind: z.string() })).optional(),
    }),
  ),
  properties: z.record(z.string(), z.unknown()),
})

/** The part of SARIF 2.1.0 that we write: what the standard requires is required, and nothing it has not is there. */
export const Sarif = z.strictObject({
  $schema: z.literal('https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json'),
  version: z.literal('2.1.0'),
  runs: z
    .array(
      z.strictObject({
        tool: z.strictObject({
          driver: z.strictObject({
            name: z.string().min(1),
            rules: z.array(z.strictObject({ id: z.string(), shortDescription: Message })),
          }),
        }),
        results: z.array(Result),
      }),
    )
    .length(1),
})
export type Sarif = z.infer<typeof Sarif>

const rules = {
  permissions: 'Files that more people may use than have to.',
  'open-port': 'Ports that other machines can reach, and should not.',
  'outdated-package': 'Packages that are older than they should be.',
} as const
const ruleIds = Object.keys(rules) as (keyof typeof rules)[]

const levels = { critical: 'error', high: 'error', medium: 'warning', low: 'note' } as const

/** By GitHub's scale, which reads it from `security-severity`. */
const scores = { critical: '9.5', high: '8.0', medium: '5.0', low: '2.0' } as const

/** A scan as code scanning, editors and CI read it. */
export function toSarif({ findings }: SecurityScan): Sarif {
  return Sarif.parse({
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'cmdop security scan',
            rules: ruleIds.map((id) => ({ id, shortDescription: { text: rules[id] } })),
          },
        },
        results: findings.map(toResult),
      },
    ],
  })
}

function toResult({ severity, category, ...finding }: SecurityFinding): z.input<typeof Result> {
  return {
    ruleId: category,
    ruleIndex: ruleIds.indexOf(category),
    level: levels[severity],
    message: { text: `${finding.description} ${finding.recommendation}` },
    locations: [locationOf(finding)],
    properties: { 'security-severity': scores[severity] },
  }
}

function locationOf({ file_path: path, port, package: name }: Pick<SecurityFinding, 'file_path' | 'port' | 'package'>) {
  if (path !== null) return { physicalLocation: { artifactLocation: { uri: pathToFileURL(path).href } } }
  return {
    logicalLocations: [port === null ? { name: name ?? '', kind: 'package' } : { name: `${port}`, kind: 'port' }],
  }
}
