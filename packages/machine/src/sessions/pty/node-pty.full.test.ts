import { describe } from 'vitest'
import { nodePtyHost } from './node-pty.ts'
import { testWholeOutput } from './pty-suite.ts'

describe('a pseudo-terminal of node-pty', () => testWholeOutput(nodePtyHost, { largeRuns: 20, smallRuns: 200 }))
