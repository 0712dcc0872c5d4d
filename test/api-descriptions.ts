import { ApiDocument, Schema } from './api-page.ts'

/** Fewer words than this say no more than the name of the field. */
const LEAST_WORDS = 3

/** Fields of bodies and good answers, and parameters, that the document does not describe. What a record holds has no fixed names. */
export function undescribedFields({ paths }: ApiDocument): string[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { parameters, requestBody, responses }]) => {
      const place = `${method.toUpperCase()} ${path}`
      const good = Object.entries(responses).filter(([status]) => status.startsWith('2'))
      const shown = [
        ...Object.values(requestBody?.content ?? {}).map(({ schema }) => ({ at: `${place} body`, schema })),
        ...good.flatMap(([status, { content = {} }]) =>
          Object.values(content).map(({ schema }) => ({ at: `${place} ${status}`, schema })),
        ),
      ]
      return [
        ...parameters
          .filter(({ description, schema }) => !isDescribed(description ?? schema.description))
          .map(({ in: kind, name }) => `${place} ${kind} ${name}`),
        ...shown.flatMap(({ at, schema }) => undescribed(schema, at)),
      ]
    }),
  )
}

function undescribed(given: unknown, at: string): string[] {
  if (given === undefined) return []
  const { properties = {}, items, anyOf = [], oneOf = [], additionalProperties } = Schema.parse(given)
  const inner = [...anyOf, ...oneOf, ...(typeof additionalProperties === 'object' ? [additionalProperties] : [])]
  return [
    ...Object.entries(properties).flatMap(([name, field]) => {
      const own = isDescribed(Schema.parse(field).description) ? [] : [`${at}.${name}`]
      return [...own, ...undescribed(field, `${at}.${name}`)]
    }),
    ...undescribed(items, `${at}[]`),
    ...inner.flatMap((schema) => undescribed(schema, at)),
  ]
}

function isDescribed(description = ''): boolean {
  return description.split(/\s+/).length >= LEAST_WORDS
}
