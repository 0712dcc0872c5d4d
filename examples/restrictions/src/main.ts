import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embedded, ExecError } from 'cmdop'

await using local = await embedded()
const { machine } = local
const cwd = await mkdtemp(join(tmpdir(), 'cmdop-example-'))
try {
  await writeFile(join(cwd, 'kept'), 'kept\n')
  const hasViews = await machine.exec('true', { restrictions: { dryRun: true } }).then(
    () => true,
    () => false,
  )
  await (hasViews ? withViews() : withoutViews())
} finally {
  await rm(cwd, { recursive: true })
}

async function withViews(): Promise<void> {
  // A command under dryRun runs, sees its own changes, and changes nothing.
  const dry = await machine.exec('rm kept; echo new > new; ls', { cwd, restrictions: { dryRun: true } })
  assert.equal(dry.stdout, 'new\n')
  assert.deepEqual(await readdir(cwd), ['kept'])

  // What it would change is an effect, with a hash over all of it.
  assert(dry.effect?.state === 'pending')
  const { effectId, hash } = dry.effect
  const { list } = await machine.effects.get(effectId)
  assert(list?.effects.some(({ kind, path }) => kind === 'deleted' && path === join(cwd, 'kept')))

  // A person has exactly that applied, and may take it back.
  await machine.effects.apply(effectId, hash)
  assert.deepEqual(await readdir(cwd), ['new'])
  await machine.effects.undo(effectId)
  assert.deepEqual(await readdir(cwd), ['kept'])

  // Under noDelete a command's changes are applied when it deletes, empties and replaces nothing,
  const added = await machine.exec('echo new > new', { cwd, restrictions: { noDelete: true } })
  assert.equal(added.effect?.state, 'applied')
  assert.equal(await readFile(join(cwd, 'new'), 'utf8'), 'new\n')

  // or none of them are: you get its output, the paths, and the effect that a person can apply.
  const refused = await machine
    .exec('echo said; rm kept', { cwd, restrictions: { noDelete: true } })
    .then(undefined, (reason: unknown) => reason)
  assert(refused instanceof ExecError && refused.code === 'restriction_violated')
  assert.equal(refused.result?.stdout, 'said\n')
  assert.deepEqual(refused.details['paths'], [join(cwd, 'kept')])

  // In a session everything shares one view, files included.
  const session = await machine.sessions.open({ shell: 'sh', cwd, restrictions: { dryRun: true } })
  await session.execute('rm kept')
  await session.files.write(join(cwd, 'notes'), 'from outside')
  assert.equal((await session.execute('ls -1')).output, 'new\nnotes\n')
  const shown = await session.effects()
  assert.deepEqual(shown.list?.counts, { added: 1, deleted: 1 })
  await session.discard()
  assert.deepEqual((await readdir(cwd)).toSorted(), ['kept', 'new'])
}

async function withoutViews(): Promise<void> {
  // What a machine cannot hold is refused before anything runs, with what is missing and what helps.
  const refused = await machine
    .exec('rm kept', { cwd, restrictions: { dryRun: true } })
    .then(undefined, (reason: unknown) => reason)
  assert(refused instanceof ExecError && refused.code === 'restriction_unenforceable')
  assert.equal(refused.details['restriction'], 'dryRun')
  assert.equal(typeof refused.details['fix'], 'string')
  assert.deepEqual(await readdir(cwd), ['kept'])
}
