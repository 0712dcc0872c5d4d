import { valueOf } from '../../parse/simple-command.ts'
import { optionTable } from '../../unwrap/options.ts'
import {
  type CheckTable,
  alwaysChanges,
  alwaysDeletes,
  each,
  reads,
  readsExcept,
  readsOnlyWith,
  tool,
} from '../checks.ts'
import { type Check, READS, changes, deletes, unclear } from '../command-class.ts'

const systemdOptions = optionTable(
  'a l q r all full quiet recursive no-pager no-legend no-ask-password failed plain value user system reverse after before with-dependencies show-types',
  't p P n o type state property lines output',
)

const services = each(
  'start stop restart reload reload-or-restart try-restart enable disable daemon-reload daemon-reexec edit set-property kill isolate link preset reset-failed set-default set-environment unset-environment import-environment add-wants',
  alwaysChanges('changes services'),
)

/** Options may stand after the command, too: none of those of `systemctl` makes a reading command another. */
const systemdRead = readsExcept('H host M machine root image')

const systemctl = tool({
  options: systemdOptions,
  commands: {
    ...each(
      'status show cat help is-active is-enabled is-failed is-system-running list-units list-unit-files list-timers list-sockets list-jobs list-dependencies list-machines list-automounts list-paths show-environment get-default',
      systemdRead,
    ),
    ...services,
    ...each('mask unmask', alwaysChanges('changes which services can start')),
    ...each('revert clean', alwaysDeletes('removes files of services')),
    ...each(
      'poweroff reboot halt kexec suspend hibernate hybrid-sleep soft-reboot emergency rescue exit',
      alwaysChanges('stops the machine'),
    ),
  },
})

/** Commands of systemd's other tools that only show something. */
function shows(names: string): Check {
  return tool({ options: systemdOptions, commands: each(names, systemdRead) })
}

/** Programs that show or change the state of the machine. */
export const systemTable: CheckTable = {
  systemctl,
  journalctl: readsExcept(
    'rotate flush sync relinquish-var smart-relinquish-var setup-keys update-catalog vacuum-size vacuum-time vacuum-files cursor-file D directory root image file M machine',
    'u p S U t o g unit priority since until identifier output grep',
    deletes('removes or moves logs'),
  ),
  timedatectl: shows('status show list-timezones timesync-status show-timesync'),
  hostnamectl: shows('status'),
  localectl: shows('status list-locales list-keymaps'),
  loginctl: shows('list-sessions list-users list-seats session-status show-session user-status show-user seat-status'),
  resolvectl: shows('status query statistics service'),
  networkctl: shows('list status lldp'),
  machinectl: shows('list status show list-images'),
  busctl: shows('list status tree introspect'),
  coredumpctl: shows('list info'),
  'systemd-analyze': shows('time blame critical-chain verify security calendar dot unit-paths'),
  'systemd-cgtop': requiresBatch,
  'systemd-cgls': reads,
  service: (words) => {
    const [first, action, ...others] = words.map(valueOf)
    const shown = first === '--status-all' || (action === 'status' && others.length === 0)
    return shown && first !== undefined && !first.includes('/') ? READS : changes('changes services')
  },
  crontab: (words) => {
    const texts = words.map(valueOf)
    if (texts.includes(undefined)) return unclear('is not known before it runs')
    if (texts.some((text) => /^-[a-z]*r/.test(text ?? ''))) return deletes('removes a whole table of jobs')
    return texts.includes('-l') ? READS : deletes('replaces a whole table of jobs')
  },
  ...each('at batch', alwaysChanges('runs something later')),
  ...each('shutdown reboot halt poweroff telinit init', alwaysChanges('stops the machine')),
  ...each('kill killall pkill skill snice renice', alwaysChanges('sends signals to processes')),
  ...each(
    'useradd adduser usermod groupadd addgroup groupmod passwd chpasswd chsh chfn gpasswd chage',
    alwaysChanges('changes users'),
  ),
  ...each('userdel deluser groupdel delgroup', alwaysDeletes('removes users')),
  ...each('modprobe insmod', alwaysChanges('changes the kernel')),
  ...each('rmmod swapoff', alwaysChanges('changes the kernel')),
  ...each('hwclock ntpdate', alwaysChanges('sets the clock')),
  ...each('sysrq setenforce', alwaysChanges('changes the kernel')),
  nginx: (words) => onlyWords(words, /^-(?:t|T|v|V|tq|q)$/, 'changes a server that runs'),
  ...each('apachectl apache2ctl httpd', (words) =>
    onlyWords(words, /^(?:-[tSvVM]|configtest|status)$/, 'changes a server that runs'),
  ),
  sshd: (words) => onlyWords(words, /^-[tT]$/, 'starts a server'),
  haproxy: (words) => onlyWords(words, /^(?:-c|-v|-vv|-f|\/etc\/.*)$/, 'starts a server'),
  visudo: (words) => onlyWords(words, /^-(?:c|cf)$/, 'changes who may do what'),
  'named-checkconf': reads,
  smartctl: readsOnlyWith('a x H i A c all info health', 'l d log'),
  auditctl: readsOnlyWith('l s', '', 0),
  'fail2ban-client': tool({ commands: { status: reads } }),
  supervisorctl: tool({ commands: { status: reads } }),
  certbot: tool({ commands: { certificates: readsOnlyWith('') } }),
}

function requiresBatch(...[words]: Parameters<Check>): ReturnType<Check> {
  return words.every(({ values }) => values?.[0] !== undefined) ? READS : unclear('is not known before it runs')
}

/** Reads with these words alone, and at least one of them. */
function onlyWords(words: Parameters<Check>[0], pattern: RegExp, otherwise: string): ReturnType<Check> {
  const isReading = words.length > 0 && words.every((word) => pattern.test(valueOf(word) ?? ''))
  return isReading ? READS : changes(otherwise)
}
