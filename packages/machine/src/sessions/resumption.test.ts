import { testResumption } from '../testing/resumption-suite.ts'

testResumption(8)
