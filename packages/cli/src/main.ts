import { enableCompileCache } from 'node:module'

enableCompileCache()
const { runProgram } = await import('./program.ts')
// Everything is written and taken down; a peer that does not answer a closing handshake is not waited for.
process.exit(await runProgram(process.argv.slice(2)))
