import { type SimpleCommand, type Word, valueOf } from '../parse/simple-command.ts'
import { type OptionTable, optionTable, readLeading } from './options.ts'
import { type Unwrap, type Unwrapped, innerCommand } from './unwrapped.ts'

/** Programs that run a command where this machine's programs and files are not those that it sees. */
interface Elsewhere {
  readonly options: OptionTable
  /** Operands before the command: a container, a root directory. */
  readonly operands: number
}

const elsewhere: Readonly<Record<string, Elsewhere>> = {
  chroot: { options: optionTable('', 'userspec groups skip-chdir'), operands: 1 },
  nsenter: {
    options: optionTable(
      'a m u i n p U C T r w F Z all mount uts ipc net pid user cgroup time root wd no-fork',
      't S G target setuid setgid',
    ),
    operands: 0,
  },
  unshare: {
    options: optionTable(
      'm u i n p U C T r c f mount uts ipc net pid user cgroup time fork map-root-user map-current-user mount-proc kill-child',
      'R w S G root wd setuid setgid propagation',
    ),
    operands: 0,
  },
  'systemd-run': {
    options: optionTable(
      'P t q G d r S wait pty pipe quiet user system scope collect same-dir remain-after-exit no-block',
      'p u M H E property unit machine host setenv uid gid nice slice description on-calendar on-active on-boot',
    ),
    operands: 0,
  },
}

const execOptions = optionTable(
  'd i t T stdin tty interactive privileged detach quiet q',
  'u w e n c user workdir env env-file index detach-keys namespace container context kubeconfig pod-running-timeout',
)

/** It is seen for rules and warnings, but never taken for a command on this machine. */
export const containerWrappers: Readonly<Record<string, Unwrap>> = {
  ...Object.fromEntries(
    Object.entries(elsewhere).map(([name, { options, operands }]) => [
      name,
      (command: SimpleCommand) => inElsewhere(command, command.words.slice(1), { options, operands }),
    ]),
  ),
  docker: unwrapExec,
  podman: unwrapExec,
  nerdctl: unwrapExec,
  'docker-compose': unwrapExec,
  kubectl: unwrapExec,
  oc: unwrapExec,
  k3s: unwrapExec,
}

function inElsewhere(command: SimpleCommand, words: readonly Word[], { options, operands }: Elsewhere): Unwrapped {
  const { rest, unknown } = readLeading(words, options)
  const why = unknown ?? 'it runs where other programs and files are'
  const inner = unknown === undefined ? rest.slice(operands).filter((word) => valueOf(word) !== '--') : []
  return { unknown: why, commands: inner.length === 0 ? [] : [innerCommand(command, inner, { cwd: undefined })] }
}

/** `docker exec`, `docker compose exec`, `kubectl exec`; of the others nothing is run here. */
function unwrapExec(command: SimpleCommand): Unwrapped | undefined {
  const { words } = command
  const at = words.findIndex((word, index) => index > 0 && ['exec', 'run'].includes(valueOf(word) ?? ''))
  const isFirst = words.slice(1, at).every((word) => /^(?:-.*|compose|container|kubectl)$/.test(valueOf(word) ?? ''))
  if (at < 0 || !isFirst) return undefined
  return inElsewhere(command, words.slice(at + 1), { options: execOptions, operands: 1 })
}
