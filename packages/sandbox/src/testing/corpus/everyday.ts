import { type CorpusCase, cases, inPython } from './corpus-case.ts'

const needs = (...names: string[]) => ({ needs: names })
const root = { as: 'root' } as const

/** What people and programs do all day; every one must end with 0 in a view, and be applied under `noDelete`. */
export const everyday: readonly CorpusCase[] = cases('everyday', [
  ['create', 'echo new > new.txt && [ "$(cat new.txt)" = new ]'],
  ['append', 'echo more >> a.txt && grep -q more a.txt'],
  ['overwrite', 'echo other > a.txt && [ "$(cat a.txt)" = other ]'],
  ['sed -i', 'sed -i s/alpha/omega/ a.txt && grep -q omega a.txt'],
  ['vim', `vim -es -u NONE -c '%s/alpha/omega/' -c wq a.txt < /dev/null; grep -q omega a.txt`, needs('vim')],
  ['ed', `printf '1s/alpha/omega/\\nw\\nq\\n' | ed -s a.txt && grep -q omega a.txt`, needs('ed')],
  inPython('python rewrite', `open('a.txt', 'w').write('python')`),
  ['node rewrite', `"$NODE" -e 'fs.writeFileSync("a.txt", "node")'`],
  ['perl -i', `perl -pi -e 's/alpha/omega/' a.txt`, needs('perl')],
  ['atomic rename', 'echo new > a.txt.tmp && mv a.txt.tmp a.txt'],
  [
    'patch',
    'printf -- "--- a.txt\\n+++ a.txt\\n@@ -1 +1 @@\\n-alpha\\n+omega\\n" | patch -p0 && grep -q omega a.txt',
    needs('patch'),
  ],
  [
    'git init and commit',
    'mkdir g && cd g && git init -q . && echo x > x && git add . && git commit -qm one && git log | grep -q one',
    needs('git'),
  ],
  ['git commit', 'cd repo && git add -A && git commit -qm two && git status --short | wc -l | grep -q 0', needs('git')],
  [
    'git branch and merge',
    'cd repo && git add -A && git commit -qm two && git checkout -qb side && echo s > side.txt && git add . && git commit -qm side && git checkout -q - && git merge -q side',
    needs('git'),
  ],
  [
    'git stash and pop',
    'cd repo && git stash -q && git stash pop -q && grep -q "not committed" tracked.txt',
    needs('git'),
  ],
  ['compile', 'printf "int main(){return 0;}" > x.c && gcc x.c -o x && ./x', needs('gcc')],
  ['make', 'printf "out: a.txt\\n\\tcp a.txt out\\n" > Makefile && make -s && [ -s out ]', needs('make')],
  [
    'npm install',
    'mkdir p q && echo "{\\"name\\":\\"p\\",\\"version\\":\\"1.0.0\\"}" > p/package.json && echo "{}" > q/package.json && cd q && npm_config_cache="$V/cache" npm install --offline --no-audit --no-fund --silent ../p && [ -e node_modules/p ]',
    needs('npm'),
  ],
  ['python venv', '"$PY" -m venv --without-pip venv && venv/bin/python -c "print(1)"', needs('python3')],
  [
    'sqlite',
    'sqlite3 data.db "insert into t values (2); update t set x = 3 where x = 2" && [ "$(sqlite3 data.db "select count(*) from t")" = 2 ]',
    needs('sqlite3'),
  ],
  ['tar', 'tar czf t.tgz dir && mkdir o && tar xzf t.tgz -C o && cmp dir/c.txt o/dir/c.txt'],
  ['zip', 'zip -qr z.zip dir && mkdir o && unzip -q z.zip -d o && cmp dir/c.txt o/dir/c.txt', needs('zip', 'unzip')],
  ['gzip of a copy', 'cp a.txt c && gzip c && zcat c.gz | cmp - a.txt'],
  ['rsync', 'rsync -a dir/ copy/ && cmp dir/c.txt copy/c.txt', needs('rsync')],
  ['cp -a', 'cp -a dir copy && cmp dir/c.txt copy/c.txt'],
  ['rm of a new file', 'echo x > n && rm n && [ ! -e n ]'],
  ['rm -rf of a new directory', 'mkdir -p n/m && echo x > n/m/f && rm -rf n && [ ! -e n ]'],
  ['mv of a new file', 'echo x > n && mv n m && [ -e m ]'],
  ['rename of a directory made now', 'mkdir n && echo x > n/f && mv n m && [ -s m/f ]'],
  ['chmod', 'chmod 600 a.txt && [ "$(stat -c %a a.txt)" = 600 ]'],
  ['a symbolic link', 'ln -s a.txt l && cmp l a.txt'],
  ['a hard link', 'ln a.txt l && [ "$(stat -c %h l)" = 2 ]'],
  ['sort -o', 'printf "b\\na\\n" > s && sort -o s s && [ "$(head -1 s)" = a ]'],
  ['mktemp', 'f=$(mktemp) && echo x > "$f" && rm "$f"'],
  ['a large file', 'head -c 20000000 /dev/zero > big && [ "$(stat -c %s big)" = 20000000 ]'],
  ['a lock', 'flock lock -c "echo locked"'],
  ['xargs', 'ls *.txt | xargs -n1 wc -l > counts && [ -s counts ]'],
  ['processes', 'sleep 0.05 & wait $! && ps ax > /dev/null && kill -0 $$'],
  ['a pipe', 'mkfifo p && (echo x > p &) && [ "$(cat p)" = x ]'],
  inPython(
    'a server and a client over TCP',
    `import threading, http.server, urllib.request
s = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler); threading.Thread(target=s.handle_request).start()
assert urllib.request.urlopen('http://127.0.0.1:%d/a.txt' % s.server_port).read() == b'alpha\\n'`,
  ),
  inPython(
    'a server and a client over a Unix socket',
    `s = socket.socket(socket.AF_UNIX); s.bind('sock'); s.listen(); c = socket.socket(socket.AF_UNIX); c.connect('sock'); os.unlink('sock')`,
  ),
  inPython(
    'shared memory',
    `from multiprocessing import shared_memory as m; x = m.SharedMemory(create=True, size=10); x.unlink()`,
  ),
  inPython('many processes', `import subprocess; [subprocess.run(['true'], check=True) for _ in range(20)]`),
  ['a terminal', 'script -qec "tty" /dev/null | grep -q /dev/pts', needs('script')],
  ['strace', 'strace -o log true && [ -s log ]', needs('strace')],
  [
    'tmux',
    'tmux -S "$V/t" new-session -d "sleep 5" && tmux -S "$V/t" ls | grep -q 1 && tmux -S "$V/t" kill-server',
    needs('tmux'),
  ],
  [
    'dpkg -i',
    'mkdir -p k/DEBIAN k/opt/cmdop-x && printf "Package: cmdop-x\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@y>\\nDescription: x\\n" > k/DEBIAN/control && echo x > k/opt/cmdop-x/f && dpkg-deb -b k x.deb > /dev/null && dpkg -i x.deb && [ -s /opt/cmdop-x/f ]',
    { ...root, needs: ['dpkg-deb'] },
  ],
  ['useradd', 'useradd -m cmdop-new && id cmdop-new', { ...root, needs: ['useradd'] }],
  [
    'an edit in /etc',
    'echo "127.0.0.2 x" >> /etc/hosts && sed -i s/127.0.0.2/127.0.0.3/ /etc/hosts && grep -q 127.0.0.3 /etc/hosts',
    root,
  ],
  ['chown', 'chown 1:1 a.txt && [ "$(stat -c %u a.txt)" = 1 ]', root],
  ['another user', 'su -s /bin/sh nobody -c id', root],
  ['setcap', 'cp /bin/true t && setcap cap_net_raw+ep t && ./t', { ...root, needs: ['setcap'] }],
])
