import { valueOf } from '../../parse/simple-command.ts'
import { type CheckTable, readsWithWords, tool } from '../checks.ts'
import { type Check, unclear } from '../command-class.ts'

/** Commands of openssl with which it only shows something; each option of these is known, as many others write a file. */
const commands: CheckTable = {
  s_client: readsWithWords(
    'showcerts quiet brief state msg debug tls1 tls1_1 tls1_2 tls1_3 no_tls1 no_tls1_1 no_tls1_2 no_tls1_3 status prexit 4 6 ign_eof crlf verify_return_error nbio no_ign_eof',
    'connect servername host port CAfile CApath cert key starttls verify alpn cipher ciphersuites proxy verify_hostname xmpphost groups',
    1,
  ),
  x509: readsWithWords(
    'noout text dates enddate startdate subject issuer serial fingerprint hash subject_hash issuer_hash pubkey modulus purpose email ocsp_uri alias sha1 sha256 md5 ocspid',
    'in inform nameopt checkend checkhost checkip checkemail ext certopt',
  ),
  verify: readsWithWords(
    'verbose show_chain partial_chain x509_strict',
    'CAfile CApath untrusted purpose verify_hostname',
    20,
  ),
  version: readsWithWords('a b d e f o p v'),
  ciphers: readsWithWords('v V s tls1 tls1_2 tls1_3 stdname', '', 1),
  crl: readsWithWords(
    'noout text issuer lastupdate nextupdate hash fingerprint crlnumber verify',
    'in inform nameopt CAfile',
  ),
  dgst: readsWithWords('sha1 sha224 sha256 sha384 sha512 md5 r c hex list', '', 20),
  asn1parse: readsWithWords('i dump', 'in inform offset length strparse'),
  req: (words, command) =>
    // Without `-in` it asks for a new request, and may write a key.
    words.some((word) => valueOf(word) === '-in')
      ? readsWithWords('noout text subject pubkey modulus verify', 'in inform nameopt reqopt')(words, command)
      : unclear('may write a key'),
  pkcs12: readsWithWords('info noout nokeys nocerts clcerts cacerts nodes noenc legacy', 'in passin'),
  ...Object.fromEntries(
    ['rsa', 'ec', 'pkey'].map((name) => [
      name,
      readsWithWords('noout text check pubin pubcheck modulus', 'in inform passin'),
    ]),
  ),
  list: readsWithWords('commands digest-algorithms cipher-algorithms public-key-algorithms disabled'),
}

/** `openssl`: its commands that show something, with options that only show. */
export const checkOpenssl: Check = tool({ commands })
