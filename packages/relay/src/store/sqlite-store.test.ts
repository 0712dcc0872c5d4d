import { describeStore } from './store-conformance.ts'
import { openTemporaryStore } from './sqlite/temporary-store.ts'

describeStore('the SQLite store', openTemporaryStore)
