import { testResumption } from './resumption-suite.ts'

testResumption(8)
