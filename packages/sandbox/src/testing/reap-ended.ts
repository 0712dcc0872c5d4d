import { spawn } from 'node:child_process'
import { Reaper } from '../host/reaper.ts'

/** Ends everything as the host does, while a program has ended that nobody was told of and another runs; says who had an answer. */
const answers: string[] = []
const names = new Map<number, string>()
// Node waits for what it started, too, and may be told of the end of the one that runs in its place.
const reaper = new Reaper((pid) => {
  if (names.get(pid) === 'who had ended') void reaper.killAll().then(() => answers.push('who had ended'))
})
for (const [command, name] of [
  [['sleep', '100'], 'who runs'],
  [['true'], 'who had ended'],
] as const) {
  reaper.starting()
  const { pid = 0 } = spawn(command[0], command.slice(1))
  names.set(pid, name)
  reaper.started(pid)
}
// Meanwhile one ends, and this process does not wait for it.
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
const until = Date.now() + 5000
void reaper.killAll().then(() => answers.push('the freeze'))
while (answers.length < 2 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 10))
process.stdout.write(JSON.stringify(answers.toSorted()))
process.exit(0)
