import { type CheckTable, each, reads, readsOnly, readsWith, readsWithWords } from '../checks.ts'
import { type Check, deletes, unclear } from '../command-class.ts'
import { checkDate } from '../programs/date.ts'
import { checkUnzip } from '../programs/unzip.ts'
import { harmlessNames } from './harmless.ts'

const overwrites = { maximum: 1, otherwise: deletes('may write over what its last word names') }
const volumes = readsWith(
  '-avhPqS -oO= --all --noheadings --noheading --options= --units= --segments --nosuffix --separator=',
)
const binaries = { like: /^[^@-]/ }
const zgrep = readsWith('-aEFGHLcehilnoqsvwxz# -efABCm=')
const fd = readsWith(
  '-HIuLapsiFg0l1q -edtEScj= --hidden --no-ignore --type= --extension= --exclude= --max-depth= --glob',
)

/** Programs that read with the options that are named here; with any other nobody knows. */
const readers: CheckTable = {
  sort: readsWith(
    '-bdfghinMrRVcCmsuz -ktS= --reverse --numeric-sort --human-numeric-sort --version-sort --unique --key= --field-separator= --stable --ignore-case --check --zero-terminated',
  ),
  diff: readsWith(
    '-abBcdeEinNpqrstTuwyZ# -UCFIWxX= --brief --color --unified --context --recursive --new-file --side-by-side --ignore-all-space --ignore-space-change --ignore-blank-lines --suppress-common-lines --exclude= --strip-trailing-cr --width= --label=',
  ),
  colordiff: readsWith('-abBinNqrsuwy -UC='),
  sdiff: readsWith('-sliabBWEZdHt -w='),
  diff3: readsWith('-AeExX3iTmaL'),
  ...each('zcmp zdiff', readsWith('-abiqsuwy -UC=')),
  ...each('zcat bzcat xzcat zstdcat lz4cat gzcat', readsWith('-fqvk')),
  ...each('zgrep zegrep zfgrep bzgrep xzgrep', zgrep),
  base64: readsWith('-dDi -w= --decode --wrap= --ignore-garbage'),
  strings: readsWith('-afow -ntes= --all --bytes= --radix= --encoding=', binaries),
  ...each(
    'nm',
    readsWith(
      '-aACDgnopPrSsuvlz -tf= --demangle --dynamic --undefined-only --defined-only --extern-only --print-size --size-sort --numeric-sort',
      binaries,
    ),
  ),
  objdump: readsWith(
    '-adDfhHpgGrRsStTxCwlzv -jMbm= --disassemble --all-headers --private-headers --syms --dynamic-syms --section= --demangle --file-headers --section-headers',
    binaries,
  ),
  readelf: readsWith(
    '-ahlSgtesnrudVADIcWT -xpR= --all --file-header --headers --segments --sections --symbols --dyn-syms --dynamic --notes --relocs --version-info --wide',
    binaries,
  ),
  size: readsWith('-ABdoxt', binaries),
  iostat: readsWith('-cdhkmNptxyzs -jo='),
  vmstat: readsWith('-adfmnstwpSDzy'),
  mpstat: readsWith('-AunV -PIoN='),
  numastat: readsWith('-cmnszv -p='),
  pidstat: readsWith('-dhIlrRsuUvVwt -pCGT='),
  sar: readsWith('-AbBdDFhHpqrRSuvwWyzfse -IPni='),
  ...each('last lastb', readsWith('-aRdFiwx# -nfstp= --limit= --since= --until=')),
  lastlog: readsWith('-but='),
  ...each('getent', readsWith('')),
  // `-v` runs another getconf.
  getconf: readsWith('-a'),
  getcap: readsWith('-rvn'),
  pgrep: readsWith(
    '-acflnovwxi -dgGPstuUF= --full --list-name --list-full --newest --oldest --count --exact --ignore-case --euid= --uid= --parent=',
  ),
  pidof: readsWith('-sxczq -o='),
  pmap: readsWith('-xXdqpr -A='),
  pwdx: readsWith(''),
  jps: readsOnly(/^-[qmlvV]+$/),
  lsmod: readsWith(''),
  modinfo: readsWith('-adlpn0 -Fk='),
  lspci: readsWith('-vnkDtmxbqs -sd='),
  lsusb: readsWith('-vt -sdD='),
  lshw: readsWithWords('short businfo html xml json numeric quiet sanitize', 'class C disable enable'),
  mountpoint: readsWith('-qdx'),
  netstat: readsWith(
    '-aceFglMnoprstuvWxl46rwi -IA= --all --numeric --tcp --udp --listening --programs --route --statistics --interfaces',
  ),
  dig: readsWithWords('4 6 r u m', 'x t p c b q y', Number.POSITIVE_INFINITY),
  host: readsWith('-aCdlnrsTUvVw46 -ctNRWmp='),
  nslookup: readsOnly(/^(?:[^-].*|-(?:type|query|q|class|timeout|retry|port)=[\w.]+|-debug)$/),
  whois: readsWith('-Hh=p='),
  ...each('ping ping6', readsWith('-46aAbBdDhLnOqrRUv -cIilmMpQsStTwW=')),
  ...each('traceroute traceroute6 tracepath', readsWith('-46nbFITUAdrvie -fmNpqwszgi=')),
  mtr: readsWith(
    '-46nrwbzjCxeltuTSp -cimfPsaGZo= --report --report-wide --no-dns --report-cycles= --json --csv --tcp --udp --port= --show-ips',
  ),
  zipinfo: readsOnly(/^(?:-[12smlvhtTzCM]+|[^-].*)$/),
  unzip: checkUnzip,
  tput: readsOnly(/^(?:cols|lines|colors|bold|sgr0|setaf|setab|rev|smul|rmul|el|cup|longname|\d+)$/),
  clear: readsWith('-x'),
  which: readsWith('-as'),
  whereis: readsWith('-bmsulg'),
  ...each('whatis apropos', readsWith('-rwlaedv -s=')),
  getenforce: readsWith(''),
  sestatus: readsWith('-bv'),
  ausearch: readsWith(
    '-irlvw -amtckefpnsuxhoxgS= --interpret --message= --start= --end= --key= --success= --raw --just-one --uid= --pid= --file= --executable= --syscall= --comm=',
  ),
  aureport: readsWith(
    '-aceflmnprstuxi -hkt --auth --login --failed --success --summary --user --file --executable --anomaly --avc --events --interpret --start= --end=',
  ),
  pg_isready: readsWith('-q -hptU= --host= --port= --timeout= --username= --quiet'),
  acpi: readsWith('-abtcVsif'),
  showmount: readsWith('-aede --exports --all --directories --no-headers'),
  shasum: readsWith('-bctqsw -a= --check --algorithm= --status'),
  md5: readsWith('-qrptx -s='),
  sw_vers: readsWith(''),
  vm_stat: readsWith(''),
  sensors: readsWith('-fuAj'),
  rpcinfo: readsWith('-pmsb'),
  ...each('lvs vgs pvs lvdisplay vgdisplay pvdisplay', volumes),
  rg: readsWith(
    '-nNilLcovwFSsuUaH0pqxhPI. -egtTABCmjMrEf= --no-heading --hidden --files --files-with-matches --type= --glob= --json --color= --count --sort= --max-count= --max-depth= --line-number --ignore-case --fixed-strings --no-ignore --context=',
  ),
  ag: readsWith('-cilLnoQsSuUvwa -ABCGm= --hidden --nocolor --count'),
  ack: readsWith('-cfghHilLnoQvwx -ABCm= --nocolor --count'),
  ...each('fd fdfind', fd),
  tree: readsWith(
    '-adfilxpsughDFtrUvcqNSCAnXJQ -LPI= --noreport --dirsfirst --du --prune --filelimit= --charset= --gitignore',
  ),
  file: readsWith('-bciIkLhnNprsv0 -fFeP= --brief --mime --mime-type --mime-encoding --dereference --keep-going --raw'),
  ...each('less zless more', checkPager),
  man: readsWith('-kfwaKW -sS= --where --whatis --apropos --all', { like: /^[\w.@+:[-]+$/ }),
  xxd: readsWith('-abeiupdEC -cslogR=', overwrites),
  uniq: readsWith('-cdDuiz -fsw= --count --repeated --unique --ignore-case --skip-fields= --all-repeated', overwrites),
  shuf: readsWith('-erz -in= --head-count= --echo --input-range= --repeat'),
  dmesg: readsWith(
    '-HPTtdekLruwxSJp -lfs= --ctime --human --nopager --level= --facility= --follow --color --decode --kernel --userspace --since= --until= --time-format= --reltime --notime --json',
  ),
  lsof: readsWith('-aChlnNoOPRtUvVwXbH -iFrTgsL? -cdpu=', { like: /^(?:[^-+]|\+[LDd])/ }),
  top: readsWith('-bcHiSs1E -w? -ndpuUo= --batch --iterations=', { needs: 'b batch' }),
  date: checkDate,
  dmidecode: readsWith('-qu -stH= --quiet --string= --type='),
  blkid: readsWith('-pikl -sotLUnO= --match-tag= --output='),
  history: readsWith('', { maximum: 1, like: /^\d+$/ }),
  bc: readsWith('-lqswi', { maximum: 0 }),
  hostname: readsWith('-aAdfiIsy --all-fqdns --all-ip-addresses --fqdn --long --short --ip-address --domain', {
    maximum: 0,
  }),
  sysctl: readsWith('-aAnNeqbX -r= --all --values --names --ignore --pattern=', { like: /^[\w.*/-]+$/ }),
  mount: readsWith('-lvVh -t=', { maximum: 0 }),
  swapon: readsWith('-s --show --summary --bytes --noheadings --raw --version', {
    maximum: 0,
    needs: 's show summary version',
  }),
  stty: readsWith('-ag --all --save', { like: /^size$/ }),
  numactl: readsWith('-Hs --hardware --show', { maximum: 0 }),
  yq: readsWith(
    '-ejrncMCPNS -poI= --output-format= --input-format= --prettyPrint --raw-output --exit-status --no-colors --unwrapScalar',
  ),
  xmllint: readsWith('--noout --format --xpath= --schema= --nonet --html --recover --valid --wellformed'),
  gzip: readsWith('-ltv --list --test --verbose', { needs: 'l t list test' }),
  tcpdump: readsWith('-AbdDefhHJKlLnNOpqSStuUvxX# -BcijMrsTy=', { like: /^[^-]/ }),
  locate: readsWith('-icbeAr -ln= --regex --ignore-case --count --limit='),
  'nvidia-smi': readsOnly(
    /^(?:-[qLl]|-[di]|--(?:query|list-gpus|loop)|--?(?:query-(?:gpu|compute-apps|accounted-apps)|format|id|display|loop)=[\w.,]+|(?:pmon|dmon|topo|\d+))$/,
  ),
  iw: readsOnly(/^(?:dev|list|phy|reg|get|link|info|station|dump|survey|event|[a-z]+\d+)$/),
  jobs: readsWith('-lnprs', { like: /^%?[\w+-]+$/ }),
  wait: readsWith('-fn'),
}

export const plainTable: CheckTable = { ...each(harmlessNames, reads), ...readers }

const pager = readsWith(
  '-eEFgGiIJmMnNqQrRsSuUwWXa# -jzbyx? --RAW-CONTROL-CHARS --no-init --quit-if-one-screen --chop-long-lines --LINE-NUMBERS',
)

/** What stands after a plus is done at the start: going to a line is, a command of its own is not. */
function checkPager(...[words, command]: Parameters<Check>): ReturnType<Check> {
  const isOther = words.some(
    ({ values, start }) => start.startsWith('+') && (values === undefined || !/^\+[GgF]?\d*$/.test(start)),
  )
  return isOther ? unclear('may write or run something') : pager(words, command)
}
