import { inOuterWorld } from './outer-world.ts'
await inOuterWorld(new URL('zz-rm.ts', import.meta.url), {}, { onReport: (r) => console.log(JSON.stringify(r)) })
