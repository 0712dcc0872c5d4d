import { type Word, mayBeOption, valueOf } from '../../parse/simple-command.ts'
import { MAY_BE_OPTION, namesOf, optionName } from '../../unwrap/options.ts'
import { type Verdict, READS, changes, deletes, unclear } from '../command-class.ts'

const curlFlags = namesOf(
  's S f L k i I v V g G 4 6 0 1 2 3 N a l silent show-error fail fail-with-body location insecure include head verbose globoff get compressed no-progress-meter http1.1 http2 http1.0 http3 ipv4 ipv6 no-keepalive fail-early tcp-nodelay no-buffer path-as-is ssl-reqd version help',
)

const curlValues = namesOf(
  'm H A e u w b x r y Y E max-time connect-timeout header user-agent referer user write-out cookie proxy range retry retry-delay retry-max-time resolve cacert capath cert key connect-to interface url max-redirs noproxy limit-rate speed-limit speed-time tls-max ciphers unix-socket oauth2-bearer proto dns-servers',
)

/** With gopher and the like any text can be sent to any port. */
const OTHER_SCHEME = /^(?!https?:|file:|ftps?:)[a-z][a-z0-9+.-]*:\/\//i

/** `curl` reads when it fetches to where it prints; it changes something when it sends, and empties the file that it saves to. */
export function checkCurl(words: readonly Word[]): Verdict {
  if (words.some(({ values, start }) => (values ?? [start]).some((text) => OTHER_SCHEME.test(text))))
    return changes('speaks to a server that may do what it is told')
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] as Word
    const text = valueOf(word)
    if (text === undefined) {
      if (word.splits || mayBeOption(word)) return unclear(`is not known: ${MAY_BE_OPTION}`)
      continue
    }
    if (!text.startsWith('-') || text === '-') continue
    const read = readCurlOption(text, words[index + 1])
    if (read === undefined) return unclear(`may do anything with ${optionName(text)}`)
    if (read.verdict !== undefined) return read.verdict
    if (read.takesNext) index += 1
    if (read.takesNext && words[index]?.splits === true) return unclear('is not known: there may be more words')
  }
  return READS
}

interface CurlOption {
  readonly verdict?: Verdict | undefined
  readonly takesNext: boolean
}

function readCurlOption(text: string, next: Word | undefined): CurlOption | undefined {
  if (text.startsWith('--')) {
    const name = text.slice(2)
    if (curlFlags.has(name)) return { takesNext: false }
    if (curlValues.has(name)) return valueOption(name, next)
    return special(name, next)
  }
  for (let index = 1; index < text.length; index += 1) {
    const letter = text[index] as string
    if (curlFlags.has(letter)) continue
    const attached = text.slice(index + 1)
    const value = attached === '' ? next : wordOf(attached)
    const read = curlValues.has(letter) ? valueOption(letter, value) : special(letter, value)
    return read === undefined ? undefined : { ...read, takesNext: read.takesNext && attached === '' }
  }
  return { takesNext: false }
}

/** `-w` can write to a file, and `@file` reads what is sent. */
function valueOption(name: string, value: Word | undefined): CurlOption {
  const text = value === undefined ? undefined : (valueOf(value) ?? value.start)
  if ((name === 'w' || name === 'write-out') && (valueOf(value) === undefined || /%output\{|^@/.test(text ?? '')))
    return { verdict: unclear('may write a file'), takesNext: true }
  return { takesNext: true }
}

function special(name: string, next: Word | undefined): CurlOption | undefined {
  const value = valueOf(next)
  switch (name) {
    case 'o':
    case 'output':
    case 'D':
    case 'dump-header':
    case 'stderr':
      if (value === '/dev/null' || value === '-') return { takesNext: true }
      return { verdict: deletes('empties the file that it saves to'), takesNext: true }
    case 'X':
    case 'request':
      if (value === 'GET' || value === 'HEAD' || value === 'OPTIONS') return { takesNext: true }
      return {
        verdict: value === 'DELETE' ? deletes('asks a server to delete') : changes('asks a server to change something'),
        takesNext: true,
      }
    case 'd':
    case 'data':
    case 'data-raw':
    case 'data-binary':
    case 'data-urlencode':
    case 'json':
    case 'F':
    case 'form':
    case 'T':
    case 'upload-file':
      return { verdict: changes('sends data to a server'), takesNext: true }
    case 'O':
    case 'remote-name':
    case 'J':
    case 'R':
      return { verdict: deletes('empties the file that it saves to'), takesNext: false }
    default:
      return undefined
  }
}

function wordOf(text: string): Word {
  return { text, values: [text], start: text, splits: false }
}

const wgetFlags =
  /^(?:--(?:quiet|spider|no-verbose|server-response|no-check-certificate|inet4-only|inet6-only|timeout=.*|tries=.*|header=.*|user-agent=.*|output-document=(?:-|\/dev\/null)|max-redirect=.*)|-[qS46v]+|-nv|-q?S?O(?:-|\/dev\/null))$/

/** `wget` reads when it prints what it fetches, or fetches nothing. */
export function checkWget(words: readonly Word[]): Verdict {
  let prints = false
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] as Word
    const text = valueOf(word)
    if (text === undefined && (word.splits || mayBeOption(word))) return unclear(`is not known: ${MAY_BE_OPTION}`)
    if (text?.startsWith('-') !== true) continue
    const isOutput = /^-[qS]*O$/.test(text)
    const next = valueOf(words[index + 1])
    if (isOutput && next !== '-' && next !== '/dev/null') return deletes('empties the file that it saves to')
    prints ||=
      isOutput ||
      text === '--spider' ||
      /^-[qS]*O(?:-|\/dev\/null)$/.test(text) ||
      text.startsWith('--output-document=')
    if (isOutput || /^-[TtU]$/.test(text)) index += 1
    else if (!wgetFlags.test(text)) return unclear(`may do anything with ${optionName(text)}`)
  }
  return prints ? READS : changes('writes a file')
}
