import { Facts } from '@cmdop/protocol'

/** The facts of a healthy machine with two processors, every part read. */
export function sampleFacts(changes: Partial<Facts> = {}): Facts {
  return Facts.parse({
    collectedAt: '2026-01-02T03:04:05Z',
    hostname: 'web-1',
    os: { platform: 'linux', distribution: 'Debian GNU/Linux', release: '12', kernel: '6.1.0-18', architecture: 'x64' },
    uptimeSeconds: 187_200,
    cpu: { model: 'Example CPU', cores: 2, usedPercent: 12.345 },
    load: { one: 0.5, five: 0.4, fifteen: 0.3 },
    memory: { totalBytes: 8_000_000_000, availableBytes: 6_000_000_000, usedPercent: 25 },
    disks: [disk('/', 100_000_000_000, 40_000_000_000), disk('/var', 50_000_000_000, 10_000_000_000)],
    services: { source: 'systemd', running: ['nginx', 'ssh'], failed: [] },
    ports: [
      { protocol: 'tcp', address: '0.0.0.0', port: 22, process: 'sshd' },
      { protocol: 'tcp', address: '::', port: 22, process: 'sshd' },
      { protocol: 'udp', address: '0.0.0.0', port: 68, process: null },
    ],
    containers: [
      { id: 'c1', name: 'db', image: 'postgres:17', state: 'running' },
      { id: 'c2', name: 'old', image: 'redis:7', state: 'exited' },
    ],
    processes: { total: 80, top: [{ pid: 7, name: 'nginx', cpuPercent: 3, memoryPercent: 1 }] },
    unavailable: [],
    ...changes,
  })
}

function disk(mount: string, totalBytes: number, usedBytes: number) {
  const availableBytes = totalBytes - usedBytes
  return {
    mount,
    filesystem: '/dev/sda1',
    type: 'ext4',
    totalBytes,
    usedBytes,
    availableBytes,
    usedPercent: (usedBytes / totalBytes) * 100,
  }
}
