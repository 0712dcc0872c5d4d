import { expect, test } from 'vitest'
import { parseOsRelease } from './operating-system.ts'

test('name and release are read with or without quotes', () => {
  const text = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID=12\nID=debian\n'
  expect(parseOsRelease(text)).toEqual({ distribution: 'Debian GNU/Linux', release: '12' })
})

test('a rolling distribution has its build for a release, or none', () => {
  expect(parseOsRelease("NAME='Arch Linux'\nBUILD_ID=rolling\n")).toEqual({
    distribution: 'Arch Linux',
    release: 'rolling',
  })
  expect(parseOsRelease('NAME="Void"\n')).toEqual({ distribution: 'Void', release: '' })
})

test('a file without a name is null', () => {
  expect(parseOsRelease('VERSION_ID=12\n')).toBeNull()
})
