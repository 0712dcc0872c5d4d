import { join } from 'node:path'
import { type Playbook, playbook, step } from '@cmdop/fleet'
import { z } from 'zod'

const Inputs = z.object({
  /** Where each machine writes down what it does, a line each time. */
  folder: z.string(),
  /** Whether the last step fails. */
  fails: z.boolean(),
  /** Whether people are asked after the second step. */
  asks: z.boolean().default(false),
})

/** Words that a machine writes when the playbook ends well, and those that undo it when it does not. */
export const words = ['one', 'two', 'three', 'four']
export const undoing = ['undo-three', 'undo-two', 'undo-one']

/** The file of one machine. */
export function logOf(folder: string, machine: { readonly name: string }): string {
  return join(folder, `${machine.name}.log`)
}

/** A playbook whose every step is seen in the files of the machines: how often it ran, and when. */
export const loggedPlaybook: Playbook<typeof Inputs> = playbook('logged', {
  inputs: Inputs,
  steps: ({ folder, fails, asks }) => {
    const write = (word: string) => (at: { machine: { name: string } }) =>
      `echo ${word} >> '${logOf(folder, at.machine)}'; sleep 0.0$(( $$ % 5 )); echo ${word}`
    const one = step.exec('one', write('one'), { rollback: write('undo-one') })
    return [
      one,
      step.exec('two', (at) => `${write('two')(at)}; test '${at.valueOf(one).stdout.trim()}' = one`, {
        rollback: write('undo-two'),
      }),
      ...(asks ? [step.approve('sure', 'Sure?')] : []),
      step.check('there', (at) => ['grep', 'two', logOf(folder, at.machine)], { everyMs: 10 }),
      step.parallel('both', [
        step.exec('three', write('three'), { rollback: write('undo-three') }),
        step.exec('beside', 'sleep 0.02'),
      ]),
      step.exec('four', (at) => `${write('four')(at)}; ${fails ? 'exit 1' : ''}`),
    ]
  },
})
