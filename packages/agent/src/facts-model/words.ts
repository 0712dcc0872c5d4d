/** A field as words: of its name, and of its description without the words that carry no meaning. */
export interface FieldWords {
  readonly name: ReadonlySet<string>
  readonly description: ReadonlySet<string>
  /** Whether the name is a plural, so that a number means a count. */
  readonly plural: boolean
  /** A path other than `/` in the description: another place than the one that is measured. */
  readonly otherPath: boolean
}

/** One word for each thing, so that the tables of readings stay short. */
const synonyms: Readonly<Record<string, string>> = {
  mem: 'memory',
  ram: 'memory',
  pct: 'percent',
  perc: 'percent',
  percentage: 'percent',
  utilization: 'usage',
  utilisation: 'usage',
  avail: 'available',
  remaining: 'free',
  processor: 'cpu',
  hdd: 'disk',
  storage: 'disk',
  filesystem: 'disk',
  volume: 'disk',
  partition: 'disk',
  distro: 'os',
  distribution: 'os',
  arch: 'architecture',
  svc: 'service',
  daemon: 'service',
  proc: 'process',
  avg: 'average',
  problem: 'issue',
  warning: 'issue',
  alert: 'issue',
  anomaly: 'issue',
  anomalie: 'issue',
  active: 'running',
  num: 'count',
  number: 'count',
  amount: 'count',
  listen: 'listening',
  open: 'listening',
  gigabyte: 'gb',
  megabyte: 'mb',
  terabyte: 'tb',
  kilobyte: 'kb',
  byte: 'bytes',
  sec: 'second',
  min: 'minute',
  hr: 'hour',
  m: 'minute',
  docker: 'container',
  one: '1',
  five: '5',
  fifteen: '15',
}

/** Words of a description that say nothing about what is measured. */
const stopWords = new Set(
  (
    'the a an of in on for is are was as at to by with and or from this that these its it which all any each current ' +
    'currently now right list names value figure measured detected found present shown given known array string ' +
    'if machine server host system whole overall main'
  ).split(' '),
)

/** The words of a field. `operating system` and `file system` are one word each; `%` is one too. */
export function wordsOf(name: string, description: string | undefined): FieldWords {
  const raw = split(name)
  const said = split(description ?? '')
  return {
    name: new Set(raw.map(normal)),
    description: new Set(said.filter((word) => !stopWords.has(word)).map(normal)),
    plural: raw.some((word) => /[^su]s$/.test(word)),
    otherPath: /(^|[\s`'"(])\/\w/.test(description ?? ''),
  }
}

function split(text: string): string[] {
  return text
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .replace(/operating[\s_-]?system/g, 'os')
    .replace(/file[\s_-]system/g, 'filesystem')
    .replace(/host[\s_-]name/g, 'hostname')
    .replace(/%/g, ' percent ')
    .replace(/(\d)([a-z])/g, '$1 $2')
    .replace(/([a-z])(\d)/g, '$1 $2')
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
}

function normal(word: string): string {
  const singular = keep.has(word) ? word : word.replace(/(process)es$/, '$1').replace(/([^su])s$/, '$1')
  return synonyms[word] ?? synonyms[singular] ?? singular
}

/** Words whose last `s` is no plural. */
const keep = new Set(['bytes', 'os', 'status', 'process', 'address', 'has', 'is', 'alias'])
