import { describe, expect, test } from 'vitest'
import { compilePolicy } from './compile-policy.ts'
import { decide } from './decide.ts'

const anything = {
  id: 'any',
  decision: 'allow' as const,
  class: ['read', 'change', 'unknown', 'delete'] as const,
  match: ['rm x'],
  notMatch: ['true; ((x))'],
}
const policies = {
  'under bypass': compilePolicy({ fleet: { mode: 'bypass' } }),
  'with a rule that allows all': compilePolicy({ fleet: { rules: [{ ...anything, class: [...anything.class] }] } }),
}

describe.each(Object.entries(policies))('%s', (_name, policy) => {
  const decided = (command: string) =>
    decide(policy, { tool: 'exec', principalKind: 'ai', command, cwd: '/srv/app' }).decision

  test.each(catastrophic())('%s is asked about', (command) => {
    expect(decided(command)).toBe('ask')
  })

  test.each(usual())('%s is not', (command) => {
    expect(decided(command)).toBe('allow')
  })
})

function catastrophic(): string[] {
  return [
    'rm -rf $HOME',
    'rm -rf "$HOME"',
    'rm -rf ${HOME}/',
    'rm -rf "${HOME}"/*',
    'rm -rf ~root',
    'cd / && rm -rf *',
    'cd /; rm -rf *',
    'cd; rm -rf *',
    'cd ~; rm -rf ./*',
    '(cd / && rm -rf *)',
    'find /etc -exec rm {} +',
    'find /etc -type f -exec sudo rm {} +',
    'find / -name x -exec sh -c \'rm "$@"\' _ {} +',
    'rsync -a --delete empty/ /',
    'rsync -a --del e/ /etc/',
    'echo / | xargs rm -rf',
    'find / -print0 | xargs -0 rm',
    'find /etc | grep x | xargs rm',
    'xargs rm -rf <<< /',
    'echo "/ /etc" | sudo xargs -n1 rm -rf',
    'cp /dev/null /etc/passwd',
    'cp x /dev/sda',
    'tee /etc/passwd </dev/null',
    'echo x | sudo tee /etc/passwd',
    'sed -i d /etc/passwd',
    'kubectl delete namespace/prod',
    'kubectl delete deploy,ns prod',
    'kubectl -n x delete pods --all',
    'terraform apply -destroy -auto-approve',
    'terraform destroy',
    'rm -rf /{etc,usr}',
    'rm -rf /e*',
    'for d in /usr /etc; do rm -rf $d; done',
    'install /dev/null /etc/passwd',
    'mv x /etc/passwd',
    'mv /etc /tmp',
    'ln -sf x /etc/passwd',
    'rm -rf /srv/app/..',
    'redis-cli eval "redis.call(\'flushall\')" 0',
    'mongosh --eval "db.dropDatabase()"',
  ]
}

function usual(): string[] {
  return [
    'rm -rf tmp',
    'rm -rf *.log',
    'rm /srv/app/*',
    'rm /var/log/x/*.gz',
    'rm -f /tmp/*',
    'mv a /srv/app',
    'mv a /opt/',
    'cp a /etc/nginx/x.conf',
    'echo a | tee /etc/nginx/x.conf',
    'find . -name x -delete',
    'find /tmp/x -exec rm {} +',
    'ls | xargs rm',
    'kubectl delete pod web',
    'kubectl delete deploy/web',
    'terraform apply',
    'rsync -a --delete a/ /srv/app/b/',
    'sed -i s/a/b/ /etc/nginx/nginx.conf',
    'cd /srv/app/x && rm -rf *',
    'rm ~/x',
    'rm $HOME/x',
    'rm -rf /var/log/app/*.gz',
    'rm /etc/*.bak',
    'docker rm -f web',
  ]
}
