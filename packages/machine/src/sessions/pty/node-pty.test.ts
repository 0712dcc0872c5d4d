import { describe } from 'vitest'
import { nodePtyHost } from './node-pty.ts'
import { testPty } from './pty-suite.ts'

describe('a pseudo-terminal of node-pty', () => testPty(nodePtyHost, { largeRuns: 2, smallRuns: 20 }))
