import * as fc from 'fast-check'
import { parse, type DefaultTreeAdapterTypes as Tree } from 'parse5'
import type { OutcomeName } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import type { FleetRow } from '../run/fleet-row.ts'
import { reportOf } from './fleet-report.ts'
import { renderHtml } from './render-html.ts'

function row(name: string, outcome: OutcomeName, said: string, durationMs = 20): FleetRow<string> {
  const machine = { id: `mch_${name}`, name, hostname: name, labels: {} }
  const error = outcome === 'ok' ? null : { code: 'unavailable' as const, message: said, details: {} }
  return { machine, wave: 1, outcome, result: said, error, attempts: 1, startedAt: 'x', durationMs }
}

function pageOf(rows: FleetRow<string>[], title = 'Kernels'): string {
  const about = { runId: 'run', stop: undefined, maxFailures: 0, startedAt: '2030-01-01T00:00:00.000Z' }
  return renderHtml(reportOf({ ...about, rows, durationMs: 1234 }), { title, textOf: ({ result }) => result ?? '' })
}

/** Every element with its attributes, and all text, as a browser reads the page. */
function elementsOf(page: string) {
  const found: Tree.Element[] = []
  const texts: string[] = []
  const visit = (node: Tree.Node) => {
    if ('tagName' in node) found.push(node)
    if (node.nodeName === '#text' && 'value' in node) texts.push(node.value)
    if ('childNodes' in node) node.childNodes.forEach(visit)
  }
  visit(parse(page))
  return { found, text: texts.join('') }
}

const ours = new Set('html head meta title style body h1 h2 table tbody tr th td details summary p pre span'.split(' '))

test('a page groups what was the same, opens what failed, and says who is unlike the others', () => {
  const rows = Array.from({ length: 8 }, (_, index) => row(`web-${index}`, 'ok', '6.1.0'))
  const page = pageOf([...rows, row('web-8', 'ok', '5.4.0', 900), row('web-9', 'unreachable', 'It is offline.')])
  const { found, text } = elementsOf(page)
  const groups = found.filter(({ tagName }) => tagName === 'details')
  expect(groups.map(({ attrs }) => attrs.map(({ name }) => name))).toEqual([[], ['open'], [], []])
  expect(text).toContain('web-0, web-1, web-2, web-3, web-4, web-5, web-6, web-7')
  expect(text).toContain('10: 9 ok, 1 unreachable')
  expect(text).toContain('slow: 0.9 s')
  expect(page.match(/not what most machines said/g)).toHaveLength(2)
})

test('a page needs nothing from elsewhere, runs nothing, and allows neither', () => {
  const { found } = elementsOf(pageOf([row('web-1', 'ok', 'x')]))
  const policy = found.flatMap(({ attrs }) => attrs.filter(({ name }) => name === 'content')).at(0)?.value
  expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]+=*'; base-uri 'none'; form-action 'none'$/)
  for (const { tagName, attrs } of found) {
    expect(ours).toContain(tagName)
    for (const { name } of attrs)
      expect(['charset', 'http-equiv', 'content', 'name', 'class', 'open', 'lang']).toContain(name)
  }
})

test('whatever machines are called and say, it is text: no element, no attribute, nothing hidden or turned round', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '</pre><script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      '<!--',
      '</title><style>*{display:none}</style>',
      ']]><svg/onload=alert(1)>',
      "' onmouseover='x",
      '&lt;script&gt;',
      '\u202egnp.exe\u0000\u001b]0;x\u0007\ud800',
      '${markup}$&$1',
    ),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(hostile, hostile), { maxLength: 5 }), hostile, (said, title) => {
      const page = pageOf(
        said.map(([name, text], index) => row(name, index % 2 === 0 ? 'ok' : 'unreachable', text)),
        title,
      )
      const plain = pageOf(
        said.map((_, index) => row(`m${index}`, index % 2 === 0 ? 'ok' : 'unreachable', `t${index}`)),
        't',
      )
      const { found, text } = elementsOf(page)
      expect(found.filter(({ tagName }) => !ours.has(tagName))).toEqual([])
      expect(new Set(found.flatMap(({ attrs }) => attrs.map(({ name }) => name)))).toEqual(
        new Set(elementsOf(plain).found.flatMap(({ attrs }) => attrs.map(({ name }) => name))),
      )
      expect(text).not.toMatch(/[^\P{C}\n\t]/u)
    }),
  )
  expect(pageOf([row('a', 'ok', '\u001b[31mred\u001b[0m \u202egnp.exe')])).toContain('red \u27e8U+202E\u27e9gnp.exe')
})

test('a report on 10,000 machines that all say much and something else is a page of bounded size', () => {
  const much = 'x'.repeat(20_000)
  const rows = Array.from({ length: 10_000 }, (_, index) => row(`machine-${index}`, 'ok', `${index} ${much}`))
  const page = pageOf(rows)
  expect(page.length).toBeLessThan(24 * 1024 * 1024)
  expect(page.match(/<tr><td>machine-/g)?.length).toBeGreaterThanOrEqual(10_000)
  expect(page).toContain('are left out here')
})
