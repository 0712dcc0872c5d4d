import { valueOf } from '../../parse/simple-command.ts'
import {
  type CheckTable,
  alwaysChanges,
  alwaysDeletes,
  each,
  reads,
  readsOnly,
  readsWith,
  tool,
  withOption,
} from '../checks.ts'
import { type Check, READS, changes, deletes, unclear } from '../command-class.ts'

/** Options that all of systemd's tools have, and with which they stay on this machine. */
const shown = '-alqr --all --full --quiet --no-pager --no-legend --no-ask-password --plain --json --output='

const units = `${shown} --recursive --failed --value --user --system --reverse --after --before --with-dependencies --show-types -tpPno= --type= --state= --property= --lines=`

const services = each(
  'start stop restart reload reload-or-restart try-restart enable disable daemon-reload daemon-reexec edit set-property kill isolate link preset reset-failed set-default set-environment unset-environment import-environment add-wants',
  alwaysChanges('changes services'),
)

const systemctl = tool({
  options: units,
  alone: readsWith(units),
  commands: {
    ...each(
      'status show cat help is-active is-enabled is-failed is-system-running list-units list-unit-files list-timers list-sockets list-jobs list-dependencies list-machines list-automounts list-paths show-environment get-default',
      readsWith(units),
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

/** Commands of systemd's other tools that only show something, and the options of their own. */
function shows(names: string, options = ''): Check {
  return tool({ alone: reads, options: `${shown} ${options}`, commands: each(names, readsWith(`${shown} ${options}`)) })
}

/** Programs that show or change the state of the machine. */
export const systemTable: CheckTable = {
  systemctl,
  journalctl: withOption(
    'rotate flush vacuum-size vacuum-time vacuum-files',
    deletes('removes or moves logs'),
    readsWith(
      '-aefkmqrxlN -bn? -upSUtogcTF= --all --pager-end --follow --dmesg --merge --quiet --reverse --catalog --boot --list-boots --lines --unit= --user-unit= --priority= --since= --until= --identifier= --output= --grep= --case-sensitive --facility= --no-pager --no-full --full --no-tail --no-hostname --utc --system --user --disk-usage --output-fields= --fields --field= --cursor= --after-cursor= --show-cursor --header --list-catalog --verify --transport=',
    ),
  ),
  timedatectl: shows('status show list-timezones timesync-status show-timesync', '-p= --property= --value --monitor'),
  hostnamectl: shows('status'),
  localectl: shows('status list-locales list-keymaps'),
  loginctl: shows(
    'list-sessions list-users list-seats session-status show-session user-status show-user seat-status',
    '-pno= --property= --value --lines=',
  ),
  resolvectl: shows('status query statistics service', '-46 -itc= --interface= --type= --class= --legend'),
  networkctl: shows('list status lldp', '-s --stats -n= --lines='),
  machinectl: shows('list status show list-images', '-pno= --property= --lines='),
  busctl: shows('list status tree introspect', '--user --system --unique --acquired --activatable --list'),
  coredumpctl: shows('list info', '-1r -SU= --since= --until= --reverse'),
  'systemd-analyze': shows(
    'time blame critical-chain security calendar dot unit-paths',
    '--user --system --iterations=',
  ),
  'systemd-cgtop': readsWith('-b1ptcim -nd= --batch --raw --iterations= --depth='),
  'systemd-cgls': readsWith('-alk -u= --all --no-pager --full'),
  service: (words) => {
    const [first, action, ...others] = words.map(valueOf)
    const isAll = first === '--status-all' && words.length === 1
    const isOne = /^[\w.@-]+$/.test(first ?? '') && first?.startsWith('-') === false && action === 'status'
    return isAll || (isOne && others.length === 0) ? READS : changes('changes services')
  },
  crontab: (words) => {
    const texts = words.map(valueOf)
    if (texts.includes(undefined)) return unclear('is not known before it runs')
    if (texts.some((text) => /^-[a-z]*r/.test(text ?? ''))) return deletes('removes a whole table of jobs')
    const isPlain = texts.every((text) => /^[\w.-]+$/.test(text ?? ''))
    const isList = isPlain && /^(?:-u \w[\w.-]* )?-l(?: -u \w[\w.-]*)?$/.test(texts.join(' '))
    return isList ? READS : deletes('replaces a whole table of jobs')
  },
  ...each('at batch', alwaysChanges('runs something later')),
  ...each('shutdown reboot halt poweroff telinit init', alwaysChanges('stops the machine')),
  ...each('kill killall pkill skill snice renice', alwaysChanges('sends signals to processes')),
  ...each(
    'useradd adduser usermod groupadd addgroup groupmod passwd chpasswd chsh chfn gpasswd',
    alwaysChanges('changes users'),
  ),
  chage: readsWith('-li --list --iso8601', { needs: 'l list', otherwise: changes('changes users') }),
  ...each('userdel deluser groupdel delgroup', alwaysDeletes('removes users')),
  ...each('modprobe insmod', alwaysChanges('changes the kernel')),
  ...each('rmmod swapoff', alwaysChanges('changes the kernel')),
  ...each('hwclock ntpdate', alwaysChanges('sets the clock')),
  ...each('sysrq setenforce', alwaysChanges('changes the kernel')),
  nginx: readsOnly(/^-(?:t|T|v|V|tq|q)$/, changes('changes a server that runs')),
  ...each(
    'apachectl apache2ctl httpd',
    readsOnly(/^(?:-[tSvVM]|configtest|status)$/, changes('changes a server that runs')),
  ),
  sshd: readsOnly(/^-[tT]$/, changes('starts a server')),
  haproxy: readsWith('-cvVdq -f=', { needs: 'c v', like: /^\//, otherwise: changes('starts a server') }),
  visudo: readsWith('-csq -f= --check --strict --quiet --file=', {
    needs: 'c check',
    maximum: 1,
    otherwise: changes('changes who may do what'),
  }),
  'named-checkconf': readsWith('-hvxp'),
  smartctl: readsWith(
    '-axHiAc -ldTn= --all --info --health --xall --attributes --capabilities --log= --device= --json',
  ),
  auditctl: readsWith('-ls', { maximum: 0 }),
  'fail2ban-client': tool({ commands: { status: readsWith('') } }),
  supervisorctl: tool({ commands: { status: readsWith('') } }),
  certbot: tool({ commands: { certificates: readsWith('') } }),
}
