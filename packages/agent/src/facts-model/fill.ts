import type { JsonSchema } from '../output/json-schema.ts'
import { type Filling, foreign, type Place } from './filling.ts'
import { fit } from './fit.ts'
import { type Reading, readingFor } from './reading.ts'
import { type SchemaNode, schemaNodes } from './schema-node.ts'
import { wordsOf } from './words.ts'

/** Names of containers that add no meaning. */
const neutral =
  /^(result|results|data|value|output|system|server|host|machine|health|status|metrics?|stats|statistics|summary|info|information|resources?|report|overview|details)$/i

/**
 * Fills a schema from readings by the names and descriptions of its fields. A fact that could not be read is null where
 * the schema allows it, left out where the field is optional, and in the way otherwise. A field that is not understood
 * is always in the way: null or nothing would be a statement about it.
 */
export function fill(root: JsonSchema, readings: readonly Reading[]): Filling {
  const [node] = schemaNodes(root, root)
  if (node === undefined) return foreign('(root)')
  return fillObject(node, { root, readings, within: [], path: '' })
}

/** Names of values that only their description explains. */
const unnamed = /^(result|value|data|output)$/i

/** Fills every field of an object, and names all that cannot be filled, not only the first. */
function fillObject({ properties }: SchemaNode, place: Place): Filling {
  if (properties === undefined || properties.length === 0) return foreign(place.path || '(root)')
  const value: Record<string, unknown> = {}
  const foreignFields: string[] = []
  const unreadable: { field: string; fact: string }[] = []
  for (const { name, definition, required } of properties) {
    const filling = fillField(name, definition, place)
    if (filling.filled) value[name] = filling.value
    else if (filling.foreign.length > 0) foreignFields.push(...filling.foreign)
    else if (required) unreadable.push(...filling.unreadable)
  }
  if (foreignFields.length + unreadable.length === 0) return { filled: true, value }
  return { filled: false, foreign: foreignFields, unreadable }
}

/** Tries each branch of a union. What is only unreadable becomes null where it may. */
function fillField(name: string, definition: JsonSchema | boolean, place: Place): Filling {
  const path = place.path === '' ? name : `${place.path}.${name}`
  const fillings = schemaNodes(definition, place.root).map((node) => fillNode(name, node, { ...place, path }))
  const best =
    fillings.find((each) => each.filled) ?? fillings.find((each) => !each.filled && each.foreign.length === 0)
  const nullable = schemaNodes(definition, place.root).some((node) => node.nullable)
  if (best?.filled === false && nullable) return { filled: true, value: null }
  return best ?? fillings[0] ?? foreign(path)
}

function fillNode(name: string, node: SchemaNode, place: Place): Filling {
  if (node.only !== undefined) return { filled: true, value: node.only.value }
  if (node.types.has('object') && node.properties !== undefined) {
    return fillObject(node, { ...place, within: neutral.test(name) ? place.within : [...place.within, name] })
  }
  const names = unnamed.test(name) ? place.within : [...place.within, name]
  const field = wordsOf(names.join(' '), node.description)
  const match = readingFor(field, place.readings)
  if (match === undefined) return foreign(place.path)
  const fillItem = (itemNode: SchemaNode, readings: readonly Reading[]): Filling =>
    fillObject(itemNode, { ...place, readings, within: [] })
  return fit(match, node, { ...place, fillItem, counts: field.plural || match.words.has('count') })
}
