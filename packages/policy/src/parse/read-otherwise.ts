import type { SyntaxNode, TestExpression, Word } from 'unbash'

/**
 * Why nobody can say what a shell makes of a piece of syntax; undefined: all do the same. A string runs under `/bin/sh`, which is
 * dash on one machine, bash on the next and busybox on a third: what one takes for a test or for quotes, another runs. And
 * bash runs what is in a variable that it counts with, as in `x='a[$(reboot)]'; echo $((x))`.
 */
export function readOtherwise(node: SyntaxNode): string | undefined {
  if (node.type === 'ArithmeticCommand') return '(( )) is arithmetic in one shell, and runs commands in another'
  if (node.type === 'TestCommand') return testProblem(node.expression) ? TEST : undefined
  if (node.type === 'ExtendedGlob') return 'a pattern with parentheses runs commands in some shells'
  if (node.type === 'ParameterExpansion') return parameterProblem(node)
  if (node.type === 'Select' || node.type === 'Coproc')
    return `${node.type.toLowerCase()} is a command of its own in some shells`
  if (node.type === 'AnsiCQuoted' && node.text.includes("\\'")) return "a quote within $'' ends it in some shells"
  if (node.type === 'CommandExpansion' && node.text.startsWith('${')) return '${ } runs commands in few shells only'
  if (node.type === 'ArithmeticFor') return COUNTS
  if (node.type === 'Assignment') return hasCountedKey(node) ? COUNTS : undefined
  if (node.type === 'FileDescriptorVariable' && !/^\w+$/.test(node.name)) return COUNTS
  if (node.type === 'ArithmeticExpansion' && !NUMBERS.test(node.text)) return COUNTS
  return undefined
}

/** Arithmetic with nothing in it but numbers. */
const NUMBERS = /^\$[([]{1,2}[\d\s+*/%()<>=-]*[)\]]{1,2}$/

const TEST = '[[ ]] with && || ( ) < > or a comparison of numbers runs commands or writes files in some shells'

const COUNTS = 'a shell may run what is in a variable that it counts with'

/** A key of an array that is no number: a shell counts with it, and with what is in the variables in it. */
function hasCountedKey({ index, value }: Extract<SyntaxNode, { type: 'Assignment' }>): boolean {
  if (index !== undefined && !/^\d+$/.test(index.text)) return true
  return value.type === 'ArrayValue' && value.elements.some(({ text }) => /^\[(?!\d+\]\+?=)/.test(text))
}

function parameterProblem(node: Extract<SyntaxNode, { type: 'ParameterExpansion' }>): string | undefined {
  if (/['"`\\]/.test(node.text)) return 'quotes within ${} are read otherwise by some shells'
  const { operation, prefix, index } = node
  if (prefix === '!' || operation?.type === 'Transform') return 'what it expands to is expanded once more'
  if (index !== undefined && !/^(?:[@*]|\d+)$/.test(index.text)) return COUNTS
  if (operation?.type !== 'Slice') return undefined
  const isNumber = [operation.offset, operation.length].every(
    (word) => word === undefined || /^\s*-?\d*\s*$/.test(word.text),
  )
  return isNumber ? undefined : COUNTS
}

function testProblem(expression: TestExpression): boolean {
  if (expression.type === 'TestNot') return testProblem(expression.operand)
  if (expression.type === 'TestUnary')
    return (
      hasOperator(expression.operand) || (/^-[vR]$/.test(expression.operator) && !/^\w+$/.test(expression.operand.text))
    )
  if (expression.type !== 'TestBinary') return true
  const { operator, left, right } = expression
  if (operator === '<' || operator === '>' || hasOperator(left) || hasOperator(right)) return true
  return /^-(?:eq|ne|lt|le|gt|ge)$/.test(operator) && !isCount(expression)
}

/** Whether there is something in it, without quotes, that ends a word elsewhere. */
function hasOperator(word: Word): boolean {
  const plain = word.parts?.filter(({ type }) => type === 'Literal') ?? [word]
  return plain.some(({ text }) => /[|&;<>()]/.test(text))
}

function isCount({ left, right }: { readonly left: Word; readonly right: Word }): boolean {
  return /^-?\d+$/.test(left.text) && /^-?\d+$/.test(right.text)
}
