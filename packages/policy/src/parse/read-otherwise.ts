import type { SyntaxNode, TestExpression, Word } from 'unbash'

/**
 * Why nobody can say what a shell makes of a piece of syntax; undefined: all do the same. A string runs under `/bin/sh`, which is
 * dash on one machine, bash on the next and busybox on a third: what one takes for a test or for quotes, another runs. And
 * bash runs what is in a variable that it counts with, as in `x='a[$(reboot)]'; echo $((x))`.
 */
export function readOtherwise(node: SyntaxNode): string | undefined {
  switch (node.type) {
    case 'ArithmeticCommand':
      return '(( )) is arithmetic in one shell, and runs commands in another'
    case 'TestCommand':
      return testOperators(node.expression)
    case 'ExtendedGlob':
      return 'a pattern with parentheses runs commands in some shells'
    case 'AnsiCQuoted':
      return node.text.includes("\\'") ? "a quote within $'' ends it in some shells" : undefined
    case 'ParameterExpansion':
      return parameterProblem(node)
    case 'ArithmeticExpansion':
      return /^\$[([]{1,2}[\d\s+*/%()<>=-]*[)\]]{1,2}$/.test(node.text) ? undefined : COUNTS
    case 'For':
      return node.wordlist?.some(({ value, text }) => text.startsWith("'") && RUNS.test(value)) === true
        ? COUNTS
        : undefined
    case 'CommandExpansion':
      return /^\$\{/.test(node.text) ? '${ } runs commands in few shells only' : undefined
    case 'Select':
    case 'Coproc':
      return `${node.type.toLowerCase()} is a command of its own in some shells`
    default:
      return undefined
  }
}

const COUNTS = 'a shell may run what is in a variable that it counts with'

/** What a shell runs when it meets it a second time. */
const RUNS = /\$\(|`/

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

function testOperators(expression: TestExpression): string | undefined {
  const otherwise = '[[ ]] with && || ( ) < > runs commands or writes files in some shells'
  switch (expression.type) {
    case 'TestUnary':
      return hasOperator(expression.operand) ? otherwise : undefined
    case 'TestBinary':
      return expression.operator === '<' ||
        expression.operator === '>' ||
        (/^-(?:eq|ne|lt|le|gt|ge)$/.test(expression.operator) && !isCount(expression)) ||
        hasOperator(expression.left) ||
        hasOperator(expression.right)
        ? otherwise
        : undefined
    case 'TestNot':
      return testOperators(expression.operand)
    case 'TestLogical':
    case 'TestGroup':
      return otherwise
  }
}

/** Whether there is something in it, without quotes, that ends a word elsewhere. */
function hasOperator(word: Word): boolean {
  const plain = word.parts?.filter(({ type }) => type === 'Literal') ?? [word]
  return plain.some(({ text }) => /[|&;<>()]/.test(text))
}

function isCount({ left, right }: { readonly left: Word; readonly right: Word }): boolean {
  return /^-?\d+$/.test(left.text) && /^-?\d+$/.test(right.text)
}
