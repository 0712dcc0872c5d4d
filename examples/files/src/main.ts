import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embedded } from 'cmdop'

await using opened = new AsyncDisposableStack()
const folder = await mkdtemp(join(tmpdir(), 'cmdop-example-'))
opened.defer(() => rm(folder, { recursive: true }))
const { machine } = opened.use(await embedded())
const path = (name: string) => join(folder, name)
await mkdir(path('site/images'), { recursive: true })
await writeFile(path('site/index.html'), '<h1>Hello</h1>')

// A file is written whole or not at all, and read in parts.
const { sha256 } = await machine.files.write(path('motd'), 'Welcome\n', { mode: 0o644 })
const { data, size } = await machine.files.read(path('motd'), { offset: 0, length: 7 })
assert.equal(new TextDecoder().decode(data), 'Welcome')
assert.equal(size, 8)

// What somebody else changed meanwhile is not lost: this is refused with `conflict` unless it is still what you read.
await machine.files.write(path('motd'), 'Welcome back\n', { ifMatch: sha256 })

// Content of any length comes and goes as a stream.
async function* numbers() {
  for (let number = 0; number < 100_000; number += 1) yield Buffer.from(`${number}\n`)
}
await machine.files.write(path('numbers'), numbers(), { overwrite: false })
let bytes = 0
for await (const piece of machine.files.readStream(path('numbers'))) bytes += piece.length
assert.equal(bytes, 588_890)

// Files and trees go up and down, and what was cut goes on where it was.
const sent = await machine.files.upload(path('site'), path('www'), { recursive: true, resume: true })
assert.deepEqual([sent.files, sent.directories], [1, 2])
await machine.files.download(path('www/index.html'), path('copy.html'), {
  onProgress: ({ bytes, totalBytes }) => assert(bytes <= totalBytes),
})

// And the rest of what one does with files.
await machine.files.copy(path('www'), path('old'), { recursive: true })
await machine.files.move(path('old/index.html'), path('old/start.html'))
const { matches } = await machine.files.search(folder, { name: '*.html', content: 'Hello' })
assert.equal(matches.length, 4)
assert.equal(await machine.files.delete(path('old'), { recursive: true }), 3)

assert.equal(await readFile(path('motd'), 'utf8'), 'Welcome back\n')
