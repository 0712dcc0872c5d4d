import { makeMemoryPair } from '../../test/pairs.ts'
import { describeTransport } from '../../test/transport-suite.ts'

describeTransport('memory', makeMemoryPair, 60)
