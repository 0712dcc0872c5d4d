import { z } from 'zod'

/** The part of a JSON Schema that the page shows. */
export const Schema = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  format: z.string().optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
  oneOf: z.array(z.unknown()).optional(),
  items: z.unknown().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  additionalProperties: z.unknown().optional(),
})

const Parameter = z.object({
  in: z.enum(['path', 'query', 'header']),
  name: z.string(),
  required: z.boolean().optional(),
  description: z.string().optional(),
  schema: Schema,
})

const Content = z.looseObject({
  content: z.record(z.string(), z.looseObject({ schema: Schema.optional() })).optional(),
})

const Operation = z.looseObject({
  summary: z.string(),
  description: z.string().optional(),
  parameters: z.array(Parameter).default([]),
  requestBody: Content.optional(),
  responses: z.record(z.string(), Content),
})

/** What is read of the OpenAPI document of a relay. */
export const ApiDocument = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), Operation)) })
export type ApiDocument = z.infer<typeof ApiDocument>

/** Characters of a line of a fence that a reader need not scroll for. */
const LINE_WIDTH = 120

const HEAD = `# REST API

Made from the OpenAPI document that a relay serves at \`/api/openapi.json\`; \`npm test -- -u test/api-page.test.ts\` makes it anew.

Every call but signing in takes \`Authorization: Bearer <key>\`. Every failure has one body, \`{ "error": { "code", "message",
"requestId", "retryable", "retryAfter", "details" } }\`, with a code of [errors](errors.md). Every change takes \`Idempotency-Key\`,
unless it says otherwise: sent twice with the same key it is done once, and has the same answer, for 24 hours. Times are ISO 8601 in UTC.
`

/** The page of all operations, in order of path. */
export function apiPage({ paths }: ApiDocument): string {
  const sections = Object.entries(paths)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => section(method, path, operation)),
    )
  return `${HEAD}\n${sections.join('\n')}`
}

function section(method: string, path: string, operation: z.infer<typeof Operation>): string {
  const { summary, description, parameters, requestBody, responses } = operation
  const queries = parameters.filter((each) => each.in === 'query').map(parameterLine)
  const takesKey = parameters.some(({ name }) => name === 'Idempotency-Key')
  const body = Object.values(requestBody?.content ?? {})[0]?.schema
  const answers = Object.entries(responses).filter(([status]) => status !== 'default')
  const lines = [
    `## ${method.toUpperCase()} ${path}\n`,
    `${summary}.${description === undefined ? '' : ` ${description}`}\n`,
    ...(method === 'get' || takesKey ? [] : ['Takes no `Idempotency-Key`.\n']),
    ...(queries.length === 0 ? [] : [`Query:\n\n${queries.join('\n')}\n`]),
    ...(body === undefined ? [] : [`Body:\n\n${fence(body)}`]),
    ...answers.map(([status, answer]) => answerText(status, answer)),
  ]
  return lines.join('\n')
}

function answerText(status: string, { content = {} }: z.infer<typeof Content>): string {
  const [[type, { schema }] = ['', { schema: undefined }]] = Object.entries(content)
  if (type !== '' && type !== 'application/json') return `Answer ${status}: \`${type}\`\n`
  return schema === undefined || schema.type === 'null'
    ? `Answer ${status}, no body\n`
    : `Answer ${status}:\n\n${fence(schema)}`
}

function parameterLine({ name, required, schema, description }: z.infer<typeof Parameter>): string {
  const about = description ?? schema.description
  const fallback = schema.default === undefined ? '' : `, default \`${JSON.stringify(schema.default)}\``
  const isNeeded = required === true ? ', required' : ''
  return `- \`${name}\`: ${typeText(schema, '')}${isNeeded}${fallback}${about === undefined ? '' : `. ${about}`}`
}

function fence(schema: z.infer<typeof Schema>): string {
  return `\`\`\`text\n${typeText(schema, '')}\n\`\`\`\n`
}

/** A type in the notation of TypeScript, a field a line. */
function typeText(given: unknown, indent: string): string {
  const schema = Schema.parse(given)
  const options = schema.anyOf ?? schema.oneOf
  if (options !== undefined) return [...new Set(options.map((option) => typeText(option, indent)))].join(' | ')
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.properties !== undefined) return objectText(schema, indent)
  if (schema.items !== undefined) {
    const item = typeText(schema.items, indent)
    return item.includes(' | ') && !item.startsWith('{') ? `(${item})[]` : `${item}[]`
  }
  if (typeof schema.additionalProperties === 'object')
    return `{ [name]: ${typeText(schema.additionalProperties, indent)} }`
  if (schema.format === 'date-time') return 'time'
  if (schema.type === undefined) return 'any JSON'
  return [schema.type].flat().join(' | ')
}

function objectText({ properties = {}, required = [] }: z.infer<typeof Schema>, indent: string): string {
  const inner = `${indent}  `
  const fields = Object.entries(properties).map(([name, field]) => {
    const { description, default: fallback } = Schema.parse(field)
    const mark = required.includes(name) ? '' : '?'
    const about = withDefault(description, fallback)
    return described(`${inner}${name}${mark}: ${typeText(field, inner)}`, about, inner)
  })
  return fields.length === 0 ? '{}' : `{\n${fields.join('\n')}\n${indent}}`
}

function withDefault(description: string | undefined, fallback: unknown): string {
  if (fallback === undefined) return description ?? ''
  const value = JSON.stringify(fallback)
  if (description === undefined) return `default ${value}`
  return description.endsWith('.') ? `${description} Default: ${value}.` : `${description}; default ${value}`
}

/** A field with what it is: behind it, or above it where that is too long for a line. */
function described(field: string, about: string, indent: string): string {
  const line = `${field}  // ${about}`
  if (about !== '' && !line.includes('\n') && line.length <= LINE_WIDTH) return line
  const isLong = !field.includes('\n') && field.length > LINE_WIDTH
  const [first = '', ...rest] = isLong ? wrapped(field.trim(), LINE_WIDTH - indent.length - 2) : [field.trim()]
  const above = about === '' ? [] : wrapped(about, LINE_WIDTH - indent.length - 3).map((text) => `// ${text}`)
  return [...above, first, ...rest.map((text) => `  ${text}`)].map((text) => `${indent}${text}`).join('\n')
}

function wrapped(text: string, width: number): string[] {
  return text.split(' ').reduce<string[]>((lines, word) => {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > width) return [...lines, word]
    return [...lines.slice(0, -1), `${last} ${word}`]
  }, [])
}
