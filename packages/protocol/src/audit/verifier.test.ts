import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from '../messages/canonical-json.ts'
import { bytesOf, type MadeLine, madeRow, makeExport, sha256, signedLine, verifyBytes } from './testing/export-suite.ts'
import { auditBody, NO_AUDIT_HASH, parseAuditBody } from './row.ts'

const chain = fc.constantFrom('main', 'main~1', 'other')
/** What tries to look like the beginning or end of a row. */
const words = fc.oneof(
  fc.string({ maxLength: 30, unit: 'binary' }),
  fc.constantFrom('},"sequence":3,"version":1}', '","row":{', '\n', '{"chain":"main"'),
)
const part = fc.uniqueArray(fc.record({ chain, rows: fc.integer({ min: 1, max: 5 }), words }), {
  selector: (of) => of.chain,
  minLength: 1,
})
const exports = fc.array(part, { minLength: 1, maxLength: 4 }).map(makeExport)
const runs = { numRuns: Number(process.env['CMDOP_TEST_RUNS'] ?? 300) }

describe('a row', () => {
  test('is canonical JSON, and is read as it was written', () => {
    fc.assert(
      fc.property(words, fc.integer({ min: 1 }), (text, sequence) => {
        const row = madeRow('x', text)
        const link = { chain: 'main', sequence, previous: NO_AUDIT_HASH }
        const body = auditBody(row, link)
        expect(canonicalJson(JSON.parse(body))).toBe(body)
        expect(parseAuditBody(body)).toEqual({ row, link })
      }),
      runs,
    )
  })
})

describe('an export', () => {
  test('as the relay wrote it is whole, however its bytes come', () => {
    fc.assert(
      fc.property(exports, fc.integer({ min: 1, max: 3000 }), (lines, pieceBytes) => {
        const result = verifyBytes(bytesOf(lines), {}, pieceBytes)
        expect(result).toMatchObject({ ok: true, firstProblem: null, begins: 0 })
        expect(result.rows).toBe(lines.filter((line) => line.chain !== undefined).length)
        expect(result.checkpoints).toBe(lines.filter((line) => line.checkpoint !== undefined).length)
      }),
      runs,
    )
  })

  test('with a line changed by one bit is found, and named', () => {
    fc.assert(
      fc.property(exports, fc.nat(), fc.integer({ min: 0, max: 7 }), (lines, at, bit) => {
        const bytes = bytesOf(lines)
        const position = at % bytes.length
        const line = bytes.subarray(0, position).filter((byte) => byte === 10).length + 1
        bytes[position] = (bytes[position] ?? 0) ^ (1 << bit)
        const { ok, firstProblem } = verifyBytes(bytes)
        expect(ok).toBe(false)
        // Of which fleet all is, only the first row says at first; and a row with another name of its chain may begin one.
        if (line > 1 && firstProblem?.kind !== 'missing') expect(firstProblem?.line).toBe(line)
      }),
      { ...runs, numRuns: runs.numRuns * 4 },
    )
  })

  test('without one of its lines is found, and that line is named', () => {
    fc.assert(
      fc.property(exports, fc.nat(), (lines, at) => {
        const gone = at % lines.length
        const { firstProblem } = verifyBytes(bytesOf(lines.toSpliced(gone, 1)))
        expectNamed(firstProblem, lines[gone], lines[gone]?.end === true ? 'truncated' : 'missing')
      }),
      runs,
    )
  })

  test('with two of its lines in each other’s place is found, and one of them is named', () => {
    fc.assert(
      fc.property(exports, fc.nat(), fc.nat(), (lines, one, two) => {
        const [first, second] = [one % lines.length, two % lines.length].toSorted((a, b) => a - b) as [number, number]
        fc.pre(first !== second)
        const swapped = lines.with(first, lines[second] as MadeLine).with(second, lines[first] as MadeLine)
        const { ok, firstProblem } = verifyBytes(bytesOf(swapped))
        expect(ok).toBe(false)
        expect(['reordered', 'missing', 'truncated']).toContain(firstProblem?.kind)
        expect(firstProblem?.line).toBeGreaterThanOrEqual(first)
      }),
      runs,
    )
  })

  test('with one of its lines twice is found, and that line is named', () => {
    fc.assert(
      fc.property(exports, fc.nat(), fc.nat(), (lines, of, to) => {
        const line = lines[of % lines.length] as MadeLine
        const place = (of % lines.length) + 1 + (to % (lines.length - (of % lines.length)))
        const { ok, firstProblem } = verifyBytes(bytesOf(lines.toSpliced(place, 0, line)))
        expect(ok).toBe(false)
        expect(firstProblem?.kind).toBe('reordered')
      }),
      runs,
    )
  })

  test('that was cut anywhere is found', () => {
    fc.assert(
      fc.property(exports, fc.nat(), (lines, at) => {
        const bytes = bytesOf(lines)
        const { ok, firstProblem } = verifyBytes(bytes.subarray(0, at % bytes.length))
        expect(ok).toBe(false)
        expect(firstProblem?.kind).toBe('truncated')
      }),
      runs,
    )
  })

  test('without one of its chains is found, and its first row is named', () => {
    fc.assert(
      fc.property(exports, chain, (lines, name) => {
        fc.pre(lines.some((line) => line.chain === name))
        const { firstProblem } = verifyBytes(bytesOf(lines.filter((line) => line.chain !== name)))
        expect(firstProblem).toMatchObject({ kind: 'missing', chain: name, sequence: 1 })
      }),
      runs,
    )
  })
})

describe('a checkpoint', () => {
  const lines = makeExport([[{ chain: 'main', rows: 3, words: '' }], [{ chain: 'main', rows: 2, words: '' }]])
  const bodyOf = (index: number) => (JSON.parse(lines[index]?.text ?? '') as { checkpoint: string }).checkpoint

  test('that another key signed is forged', () => {
    const { text = '' } = lines[3] ?? {}
    const forged = text.replace(/"signature":"./, (found) => `${found.slice(0, -1)}${found.endsWith('A') ? 'B' : 'A'}`)
    const { firstProblem } = verifyBytes(bytesOf(lines.with(3, { text: forged })))
    expect(firstProblem).toMatchObject({ kind: 'forged', checkpoint: 1, line: 4 })
  })

  test('that was kept elsewhere shows an export that lacks what came later, or has another history', () => {
    const known = new Map([[2, sha256(bodyOf(6))]])
    expect(verifyBytes(bytesOf(lines), { known })).toMatchObject({ ok: true })
    const older = makeExport([[{ chain: 'main', rows: 3, words: '' }]])
    expect(verifyBytes(bytesOf(older), { known }).firstProblem).toMatchObject({ kind: 'truncated', checkpoint: 2 })
    const other = makeExport([[{ chain: 'main', rows: 3, words: 'x' }], [{ chain: 'main', rows: 2, words: '' }]])
    expect(verifyBytes(bytesOf(other), { known }).firstProblem).toMatchObject({ kind: 'changed', checkpoint: 2 })
  })

  test('can be where an export begins, if that is asked for', () => {
    const rest = bytesOf([lines[3] as MadeLine, ...lines.slice(4, -1), endOf(bodyOf(6), 2)])
    expect(verifyBytes(rest).ok).toBe(false)
    expect(verifyBytes(rest, { fromCheckpoint: 1 })).toMatchObject({ ok: true, begins: 1, rows: 2 })
  })

  test('that an anchor stands for is where a pruned export begins', () => {
    const { heads, relayId, fleetId, at, version } = JSON.parse(bodyOf(3)) as Record<string, unknown>
    const anchor = { heads, relayId, fleetId, at, version, number: 1, hash: sha256(bodyOf(3)) }
    const first = { text: signedLine('anchor', canonicalJson(anchor)) }
    const rest = [...lines.slice(4, -1), endOf(bodyOf(6), 2)]
    expect(verifyBytes(bytesOf([first, ...rest]))).toMatchObject({ ok: true, begins: 1, rows: 2 })
    expect(verifyBytes(bytesOf(rest)).firstProblem).toMatchObject({ kind: 'missing', chain: 'main', sequence: 1 })
  })

  function endOf(checkpoint: string, rows: number): MadeLine {
    const { relayId, fleetId, at, version, number } = JSON.parse(checkpoint) as Record<string, unknown>
    const body = canonicalJson({ relayId, fleetId, at, version, number, hash: sha256(checkpoint), rows })
    return { text: signedLine('end', body) }
  }
})

test('a filtered export is refused, because nobody can verify it', () => {
  const line = { text: canonicalJson({ filtered: { action: 'exec' }, version: 1 }) }
  expect(() => verifyBytes(bytesOf([line]))).toThrow('filtered')
})

function expectNamed(problem: unknown, line: MadeLine | undefined, kind: string): void {
  if (line?.checkpoint !== undefined) expect(problem).toMatchObject({ kind, checkpoint: line.checkpoint })
  else if (line?.chain !== undefined)
    expect(problem).toMatchObject({ kind, chain: line.chain, sequence: line.sequence ?? 0 })
  else expect(problem).toMatchObject({ kind })
}
