import { type Filling, foreign, missing, type Place } from './filling.ts'
import { type Item, type Match, type Quantity, type Reading, sizeUnits, timeUnits } from './reading.ts'
import { type SchemaNode, schemaNodes } from './schema-node.ts'

/** Where a reading goes. `counts`: a number in place of a list is its count. */
export interface Target extends Place {
  readonly counts: boolean
  /** Fills an object from the readings of one entry of a list. */
  readonly fillItem: (node: SchemaNode, readings: readonly Reading[]) => Filling
}

type NumberQuantity = Extract<Quantity, { kind: 'number' }>
type ListQuantity = Extract<Quantity, { kind: 'list' }>

/** Puts what was read into the type the schema asks for. A type that cannot hold it is not understood, never bent. */
export function fit(match: Match, node: SchemaNode, target: Target): Filling {
  const { reading, words } = match
  const quantity = reading.read(words)
  if (quantity.kind === 'list') return fitList(quantity, match, node, target)
  const holds =
    quantity.kind === 'number' ? ['number', 'integer', 'string'] : [quantity.kind === 'text' ? 'string' : 'boolean']
  if (!holds.some((type) => node.types.has(type))) return foreign(target.path)
  if (quantity.value === null) return missing(target.path, reading.fact)
  const value = quantity.kind === 'number' ? numberFor(quantity, words, node) : quantity.value
  if (node.allowed !== undefined && !node.allowed.includes(value)) return foreign(target.path)
  return { filled: true, value }
}

function fitList(quantity: ListQuantity, { reading, words }: Match, node: SchemaNode, target: Target): Filling {
  const { items, asNumber } = quantity
  if (node.types.has('array'))
    return items === null ? missing(target.path, reading.fact) : fitItems(quantity, items, node, target)
  const asksNumber = node.types.has('number') || node.types.has('integer')
  if (!asksNumber || !(target.counts || words.has('load'))) return foreign(target.path)
  if (asNumber === null) return missing(target.path, reading.fact)
  return { filled: true, value: rounded(asNumber, node) }
}

/** Texts and numbers stand once each: a port that listens on two addresses is one port. */
function fitItems({ like }: ListQuantity, items: readonly Item[], node: SchemaNode, target: Target): Filling {
  const [itemNode] = node.items === undefined ? [] : schemaNodes(node.items, target.root)
  if (itemNode === undefined) return foreign(target.path)
  if (itemNode.types.has('string') && itemNode.allowed === undefined) {
    return { filled: true, value: [...new Set(items.map((item) => item.text))] }
  }
  if (itemNode.types.has('number') || itemNode.types.has('integer')) {
    if (like.number === undefined) return foreign(target.path)
    const numbers = items.flatMap((item) => item.number ?? [])
    return numbers.length === items.length ? { filled: true, value: [...new Set(numbers)] } : foreign(target.path)
  }
  if (!itemNode.types.has('object')) return foreign(target.path)
  const understood = target.fillItem(itemNode, like.readings)
  if (!understood.filled) return understood
  const fillings = items.map((item) => target.fillItem(itemNode, item.readings))
  return (
    fillings.find((filling) => !filling.filled) ?? {
      filled: true,
      value: fillings.map((filling) => (filling.filled ? filling.value : null)),
    }
  )
}

/** A size or a time in the unit that the field names; as a string with its unit. */
function numberFor({ value, unit }: NumberQuantity, words: ReadonlySet<string>, node: SchemaNode): number | string {
  const amount = value ?? 0
  const asString = !node.types.has('number') && !node.types.has('integer')
  if (unit === 'percent') return asString ? `${rounded(amount, node)} %` : rounded(amount, node)
  if (unit === 'none') return asString ? String(rounded(amount, node)) : rounded(amount, node)
  const units = unit === 'bytes' ? sizeUnits : timeUnits
  const name = Object.keys(units).find((each) => words.has(each))
  if (asString && name === undefined && unit === 'seconds') return duration(amount)
  const converted = rounded(amount / (units[name ?? 'second'] ?? 1), node)
  return asString ? `${converted} ${name ?? ''}`.trim() : converted
}

function rounded(value: number, node: SchemaNode): number {
  return node.types.has('integer') ? Math.round(value) : Math.round(value * 100) / 100
}

function duration(seconds: number): string {
  const [days, hours, minutes] = [seconds / 86_400, (seconds % 86_400) / 3600, (seconds % 3600) / 60].map(Math.floor)
  return `${days} d ${hours} h ${minutes} min`
}
