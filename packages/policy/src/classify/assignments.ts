import type { Assignment } from '../parse/simple-command.ts'
import { type Verdict, READS, unclear } from './command-class.ts'

/** Variables that change how something is shown, and nothing of what runs. */
const HARMLESS =
  /^(?:LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|COLUMNS|LINES|NO_COLOR|CLICOLOR|FORCE_COLOR|COLORTERM|DEBIAN_FRONTEND|SYSTEMD_COLORS|BLOCKSIZE|BLOCK_SIZE|TIME_STYLE|QUOTING_STYLE|LS_COLORS|GREP_COLORS?|AWS_(?:DEFAULT_)?(?:PROFILE|REGION)|PG(?:DATABASE|USER|PASSWORD|PORT|CONNECT_TIMEOUT)|MYSQL_PWD|NODE_ENV|RAILS_ENV|TRACEPARENT|TRACESTATE|GIT_OPTIONAL_LOCKS|CI)$/

/** Variables that name a program to show with. */
const PAGERS = /^[A-Z_]*PAGER$/

/** Variables of a shell that it, or what it starts, obeys. Others stay in the shell unless somebody exports them. */
const OBEYED =
  /^(?:PATH|CDPATH|HOME|IFS|ENV|BASH_.*|BASHOPTS|SHELLOPTS|PS[0-4]|PROMPT_COMMAND|FPATH|MODULE_PATH|LD_.*|DYLD_.*|MALLOC_.*|GLIBC_.*|GCONV_PATH|LOCPATH|NLSPATH|HOSTALIASES|RES_OPTIONS|TMPDIR|SHELL|USER|LOGNAME|VISUAL|.*(?:PAGER|EDITOR|BROWSER|ASKPASS|_COMMAND|_CMD|_SSH|_SHELL)|LESS.*|MORE|MAN.*|GIT_.*|SSH_.*|SUDO_.*|RSYNC_.*|TAR_OPTIONS|GZIP|XZ_.*|ZIPOPT|UNZIP|CURL_.*|WGETRC|NETRC|PERL.*|PYTHON.*|RUBY.*|NODE_.*|NPM_.*|npm_.*|JAVA_.*|_JAVA_.*|JDK_.*|PHP.*|LUA_.*|GOFLAGS|CARGO_.*|RUST.*|MAKE.*|CC|CXX|KUBE.*|HELM_.*|DOCKER_.*|AWS_.*|PG.*|MYSQL_.*|TF_.*|OPENSSL_.*|XDG_.*|BROWSER|POSIXLY_CORRECT|GREP_OPTIONS|RIPGREP_.*|ACK_.*|BAT_.*|FZF_.*|.*_proxy|.*_PROXY|FCEDIT|HIST.*|INPUTRC|TERMINFO.*|TERMCAP|DISPLAY|SYSTEMD_.*|XAUTHORITY|command_not_found_handle)$/

/** What a shell would run when it meets it once more. */
const RUNS_LATER = /\$\(|`/

/** Whether a variable changes what a command is. `exported`: whether programs see it, and not only the shell. */
export function checkAssignment({ name, value }: Assignment, exported: boolean): Verdict {
  if (value !== undefined && RUNS_LATER.test(value)) return unclear(`sets ${name} to what may be run later`)
  if (HARMLESS.test(name)) return READS
  if (PAGERS.test(name) && (value === 'cat' || value === '')) return READS
  if (exported || OBEYED.test(name)) return unclear(`sets ${name}, which may change what runs`)
  return READS
}
