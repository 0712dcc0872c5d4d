import { Client } from '@cmdop/core'
import { enrollMachine, startMachine } from '@cmdop/machine'
import { say, settings } from './run-until-told.ts'

/** Enrols a machine at a relay, runs a command on it, and says what it put out: with a trust store of its own. */
const { relayUrl, key, dataDir } = settings() as { relayUrl: string; key: string; dataDir: string }
await using client = new Client({ baseUrl: relayUrl, token: key })
const { rawToken: token } = await client.enrollmentTokens.issue()
const { machineId } = await enrollMachine({ relayUrl, token, dataDir, name: 'over-tls' })
await using machine = await startMachine({ dataDir, logLevel: 'silent' })
const { stdout } = await (await client.machine(machineId)).exec(['echo', 'over TLS'])
say({ stdout, name: machine.state.name })
