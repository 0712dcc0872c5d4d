import { ErrorBody } from '@cmdop/protocol'
import { z } from 'zod'
import { noIdempotencyKeys } from './idempotency.ts'

const CHANGES = ['post', 'put', 'patch', 'delete'] as const

/** The part of an OpenAPI document that is added to. */
interface Document {
  readonly paths?: Readonly<Record<string, Readonly<Partial<Record<string, Operation>>> | undefined>> | undefined
  components?: { responses?: Record<string, unknown> } | undefined
}

interface Operation {
  responses?: Record<string, unknown>
  parameters?: unknown[]
}

/** Adds what every operation has: the one error body, and for changes the key that makes them one. */
export function withCommonParts<Given extends Document>(document: Given): Given {
  const { $schema: _, ...schema } = z.toJSONSchema(ErrorBody, { io: 'input', target: 'draft-2020-12' })
  document.components = {
    ...document.components,
    responses: {
      Error: {
        description: 'What went wrong, by a code of docs/errors.md, and what to do about it.',
        content: { 'application/json': { schema } },
      },
    },
  }
  for (const [path, operations = {}] of Object.entries(document.paths ?? {}))
    for (const [method, operation] of Object.entries(operations)) {
      if (operation?.responses === undefined) continue
      operation.responses = { ...operation.responses, default: { $ref: '#/components/responses/Error' } }
      if (takesKey(method, path)) operation.parameters = [...(operation.parameters ?? []), idempotencyKey]
    }
  return document
}

function takesKey(method: string, path: string): boolean {
  const route = `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`
  return (CHANGES as readonly string[]).includes(method) && !noIdempotencyKeys.has(route)
}

const idempotencyKey = {
  in: 'header',
  name: 'Idempotency-Key',
  required: false,
  description: 'The same key makes a change that is sent twice one change; it is known for 24 hours.',
  schema: { type: 'string', minLength: 1, maxLength: 128 },
}
