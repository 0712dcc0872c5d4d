import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Folder of programs that cases use, in an outer world. */
export const TOOLS = '/opt/cmdop-corpus'

/** A file on which the socket of a service is mounted, as containers are given one. Only root can mount it. */
export const MOUNTED_SOCKET = '/srv/cmdop-mounted/socket'

/** Gets a line for each connection to that service. */
export const MOUNTED_SOCKET_LOG = '/srv/cmdop-mounted/log'

const SERVICE = `require("net").createServer((socket) => require("fs").appendFileSync("${MOUNTED_SOCKET_LOG}", "hit\\n")).listen("/srv/cmdop-mounted/service")`

/** Makes them, as root: what Debian has no program for, and programs with more rights than their user. */
export function prepareTools(): string {
  const loopback = fileURLToPath(new URL('../../host/loopback.ts', import.meta.url))
  const source = readFileSync(new URL('./raw.c', import.meta.url), 'utf8')
  return String.raw`
mkdir -p ${TOOLS} /srv/cmdop-secret
for name in a b c; do echo secret > /srv/cmdop-secret/$name; done
if command -v gcc > /dev/null; then
  cat > ${TOOLS}/raw.c <<'SOURCE'
${source}
SOURCE
  gcc -O1 -o ${TOOLS}/raw ${TOOLS}/raw.c
fi
cp /bin/rm ${TOOLS}/suid-rm
chmod u+s ${TOOLS}/suid-rm
if command -v setcap > /dev/null; then
  cp /bin/rm ${TOOLS}/cap-rm
  setcap cap_dac_override+ep ${TOOLS}/cap-rm
fi
mkdir /srv/cmdop-mounted
: > ${MOUNTED_SOCKET}
: > ${MOUNTED_SOCKET_LOG}
env -u NODE_CHANNEL_FD ${process.execPath} -e '${SERVICE}' 2> /dev/null 3>&- &
until [ -S /srv/cmdop-mounted/service ]; do sleep 0.1; done
mount --bind /srv/cmdop-mounted/service ${MOUNTED_SOCKET}
chmod 666 ${MOUNTED_SOCKET}
${process.execPath} --conditions=@cmdop/source -e 'import("${loopback}").then(({ bringUpLoopback }) => bringUpLoopback())'
`
}
