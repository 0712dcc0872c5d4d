/** A place of which others run, load or obey what is there, later and outside of the view. */
export interface DeferredRule {
  /** Name that is shown, and by which it can be approved. */
  readonly rule: string
  /** Paths below a home directory. A pattern that ends in `/` covers all below it. */
  readonly home?: readonly string[]
  /** Absolute paths. `*` is one name or a part of it. */
  readonly system?: readonly string[]
  /** The end of a path, anywhere. */
  readonly anywhere?: readonly string[]
  /** Only where the file was there before: a new one is not obeyed by anybody yet. */
  readonly existingOnly?: boolean
}

const gitHooks =
  'applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg commit-msg post-commit pre-rebase ' +
  'post-checkout post-merge pre-push pre-receive update proc-receive post-receive post-update reference-transaction push-to-checkout ' +
  'pre-auto-gc post-rewrite sendemail-validate fsmonitor-watchman post-index-change'

/**
 * What runs later, as far as it can be listed: it cannot be complete, since any file that some process outside obeys is a channel. Config
 * files of git (`git`), programs on PATH (`path`) and setuid bits (`privilege`) need more than a path and are judged in `deferred.ts`.
 */
export const deferredRules: readonly DeferredRule[] = [
  {
    rule: 'shell-startup',
    home: [
      ...['.profile', '.bash_profile', '.bash_login', '.bashrc', '.bash_logout', '.bash_aliases', '.zshenv', '.zprofile', '.zshrc'],
      ...['.zlogin', '.zlogout', '.kshrc', '.mkshrc', '.cshrc', '.tcshrc', '.login', '.logout', '.inputrc', '.pam_environment'],
      ...['.xprofile', '.xinitrc', '.xsession', '.xsessionrc', '.config/fish/', '.config/environment.d/', '.config/nushell/', '.zsh/'],
      ...['.oh-my-zsh/', '.bash_completion', '.config/bash/', '.config/powershell/'],
    ],
    system: [
      ...['/etc/profile', '/etc/profile.d/', '/etc/bash.bashrc', '/etc/bashrc', '/etc/bash.bash_logout', '/etc/environment', '/etc/zsh/'],
      ...['/etc/zshrc', '/etc/zshenv', '/etc/zprofile', '/etc/zlogin', '/etc/fish/', '/etc/csh.*', '/etc/inputrc', '/etc/bash_completion.d/'],
      ...['/etc/skel/', '/etc/environment.d/', '/etc/security/pam_env.conf'],
    ],
  },
  {
    rule: 'ssh',
    home: ['.ssh/authorized_keys', '.ssh/authorized_keys2', '.ssh/config', '.ssh/config.d/', '.ssh/rc', '.ssh/environment'],
    anywhere: ['.ssh/authorized_keys', '.ssh/authorized_keys2', '.ssh/rc', '.ssh/environment', '.shosts', '.rhosts'],
    system: ['/etc/ssh/', '/etc/hosts.equiv'],
  },
  { rule: 'git-hook', anywhere: gitHooks.split(' ').map((name) => `hooks/${name}`), home: ['.git-templates/', '.config/git/hooks/'] },
  { rule: 'git-config', home: ['.gitconfig', '.config/git/config', '.config/git/attributes'], system: ['/etc/gitconfig'] },
  {
    rule: 'cron',
    system: [
      ...['/etc/crontab', '/etc/anacrontab', '/etc/cron.*/', '/etc/cron.allow', '/var/spool/cron/', '/var/spool/anacron/', '/var/spool/at/'],
      ...['/var/spool/cronjobs/', '/var/spool/atjobs/', '/etc/periodic/', '/etc/incron.d/', '/var/spool/incron/'],
    ],
  },
  {
    rule: 'service',
    home: ['.config/systemd/', '.local/share/systemd/', '.config/autostart/', '.config/autostart-scripts/', '.config/dbus-1/'],
    system: [
      ...['/etc/systemd/', '/lib/systemd/', '/usr/lib/systemd/', '/usr/local/lib/systemd/', '/run/systemd/', '/etc/init.d/', '/etc/rc.local'],
      ...['/etc/rc*.d/', '/etc/inittab', '/etc/init/', '/etc/runit/', '/etc/sv/', '/etc/service/', '/etc/openrc/', '/etc/local.d/'],
      ...['/etc/xdg/autostart/', '/etc/dbus-1/', '/usr/share/dbus-1/', '/etc/supervisor/', '/etc/supervisord.*', '/etc/xinetd.d/'],
      ...['/etc/inetd.conf', '/etc/tmpfiles.d/', '/usr/lib/tmpfiles.d/', '/etc/binfmt.d/', '/etc/monit/', '/etc/default/', '/etc/conf.d/'],
    ],
  },
  {
    rule: 'login',
    home: ['.forward', '.procmailrc', '.mailcap', '.qmail'],
    system: ['/etc/pam.d/', '/etc/pam.conf', '/etc/sudoers', '/etc/sudoers.d/', '/etc/sudo.conf', '/etc/doas.conf', '/etc/polkit-1/'],
  },
  {
    rule: 'loader',
    system: [
      ...['/etc/ld.so.preload', '/etc/ld.so.conf', '/etc/ld.so.conf.d/', '/etc/modules', '/etc/modules-load.d/', '/etc/modprobe.d/'],
      ...['/etc/udev/', '/lib/udev/', '/usr/lib/udev/', '/etc/initramfs-tools/', '/etc/kernel/', '/boot/', '/etc/grub.d/', '/etc/default/grub'],
      ...['/etc/sysctl.conf', '/etc/sysctl.d/', '/etc/nsswitch.conf', '/etc/fstab', '/etc/alternatives/'],
    ],
  },
  { rule: 'loader', system: ['/lib/*.so*', '/lib64/*.so*', '/usr/lib/*/*.so*', '/lib/*/*.so*', '/usr/lib64/*.so*'], existingOnly: true },
  {
    rule: 'package-hook',
    home: ['.config/pip/', '.npmrc', '.yarnrc', '.yarnrc.yml', '.config/pnpm/', '.cargo/config', '.cargo/config.toml', '.gemrc', '.m2/settings.xml'],
    system: [
      ...['/etc/apt/', '/etc/dpkg/', '/etc/yum.repos.d/', '/etc/yum.conf', '/etc/dnf/', '/etc/pacman.d/', '/etc/pacman.conf', '/etc/apk/'],
      ...['/etc/logrotate.d/', '/etc/logrotate.conf', '/etc/ca-certificates/update.d/', '/etc/update-motd.d/', '/etc/resolvconf/'],
      ...['/etc/network/', '/etc/NetworkManager/', '/etc/dhcp/', '/etc/ppp/', '/etc/acpi/', '/etc/needrestart/', '/usr/share/bug/'],
    ],
  },
  { rule: 'package-hook', system: ['/var/lib/dpkg/info/*.p*', '/var/lib/dpkg/triggers/*'], existingOnly: true },
  {
    rule: 'program-startup',
    home: [
      ...['.vimrc', '.gvimrc', '.vim/', '.config/nvim/', '.exrc', '.nanorc', '.emacs', '.emacs.d/', '.config/emacs/', '.tmux.conf', '.screenrc'],
      ...['.config/tmux/', '.gdbinit', '.lldbinit', '.pythonrc', '.pythonstartup', '.irbrc', '.pryrc', '.Rprofile', '.psqlrc', '.sqliterc'],
      ...['.lesskey', '.lessfilter', '.wgetrc', '.curlrc', '.netrc', '.direnvrc', '.config/direnv/', '.gnupg/gpg-agent.conf', '.gnupg/gpg.conf'],
      ...['.mozilla/', '.config/mpv/', '.docker/config.json', '.kube/config', '.aws/config', '.vscode/', '.config/Code/', '.mcp.json', '.claude/'],
    ],
    anywhere: ['.envrc', '.mcp.json', '.vscode/tasks.json', '.vscode/settings.json', 'sitecustomize.py', 'usercustomize.py', '.gdbinit', '.exrc'],
  },
]

/** Keys and sections of a git configuration by which git runs something or goes elsewhere. */
export const gitConfigKeys =
  /hookspath|fsmonitor|sshcommand|askpass|gitproxy|editor|pager|command|\bhelper|external|textconv|driver|\bclean\b|\bsmudge\b|\bprocess\b|\bprogram\b|include|alias|insteadof|\bproxy|uploadpack|receivepack|\btool|\bcmd\b|browser|templatedir|worktree|attributesfile/i
