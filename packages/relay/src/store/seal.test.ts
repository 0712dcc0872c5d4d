import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSeal, readSealKey } from './seal.ts'
import { temporaryFolder } from './sqlite/temporary-store.ts'

const integrity = expect.objectContaining({ code: 'integrity' })

test('A secret is as it was in its own place, and opens in no other one and with no other key', () => {
  const [seal, other] = [createSeal(randomBytes(32)), createSeal(randomBytes(32))]
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string(), fc.string(), (secret, place, elsewhere) => {
      fc.pre(place !== elsewhere)
      const sealed = seal.close(secret, place)
      expect(seal.open(sealed, place)).toBe(secret)
      expect(seal.close(secret, place)).not.toBe(sealed)
      expect(() => seal.open(sealed, elsewhere)).toThrow(integrity)
      expect(() => other.open(sealed, place)).toThrow(integrity)
    }),
  )
})

test('What was changed, cut or never sealed is not opened', () => {
  const seal = createSeal(randomBytes(32))
  const sealed = seal.close('JBSWY3DPEHPK3PXP', 'totp.secret:prn_one')
  for (let index = 0; index < sealed.length; index += 1) {
    const changed = `${sealed.slice(0, index)}${sealed[index] === 'A' ? 'Q' : 'A'}${sealed.slice(index + 1)}`
    expect(() => seal.open(changed, 'totp.secret:prn_one')).toThrow(integrity)
    expect(() => seal.open(sealed.slice(0, index), 'totp.secret:prn_one')).toThrow(integrity)
  }
  expect(() => seal.open('JBSWY3DPEHPK3PXP', 'totp.secret:prn_one')).toThrow(integrity)
})

test('Everybody who opens the file of a key at once gets the same one, and nobody else can read it', async () => {
  await using folder = await temporaryFolder()
  await mkdir(dirname(folder.file))
  const file = `${folder.file}.key`
  const keys = await Promise.all(Array.from({ length: 8 }, () => readSealKey(file)))
  expect(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size).toBe(1)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readdir(dirname(file))).toEqual(['relay.db.key'])
  await writeFile(file, (await readFile(file)).subarray(1))
  await expect(readSealKey(file)).rejects.toMatchObject({ code: 'config', message: expect.stringContaining(file) })
})
