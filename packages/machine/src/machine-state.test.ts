import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type MachineState, readMachineState, writeMachineState } from './machine-state.ts'

const state: MachineState = {
  version: 1,
  machineId: 'mch_one',
  fleetId: 'flt_one',
  name: 'one',
  relayUrl: 'http://127.0.0.1:7420',
  relayId: 'rly_one',
  relayPublicKey: 'PEM',
  privateKey: 'PEM',
}

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-state-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('the state of a machine', () => {
  test('is read back as it was written, and is nobody else’s to read', async () => {
    const inner = join(folder, 'new')
    await writeMachineState(inner, state)
    expect(await readMachineState(inner)).toEqual(state)
    expect((await stat(join(inner, 'machine.json'))).mode & 0o777).toBe(0o600)
    expect((await stat(inner)).mode & 0o777).toBe(0o700)
    expect(await readdir(inner)).toEqual(['machine.json'])
  })

  test('is not there in a folder that is not enrolled', async () => {
    expect(await readMachineState(folder)).toBeUndefined()
    expect(await readMachineState(join(folder, 'missing'))).toBeUndefined()
  })

  test('that cannot be read is a `config` error, never taken for none', async () => {
    for (const content of [
      '',
      '{',
      '{}',
      JSON.stringify({ ...state, version: 2 }),
      JSON.stringify({ ...state, more: 1 }),
    ]) {
      await writeFile(join(folder, 'machine.json'), content)
      await expect(readMachineState(folder)).rejects.toMatchObject({ code: 'config' })
    }
  })
})
