import { testResumption } from '../testing/resumption-suite.ts'

// Counts of 60,000 lines over connections that are cut one to four times each.
testResumption(150)
