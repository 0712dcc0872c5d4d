/**
 * Where nothing of ours goes on anybody's behalf, whatever a name resolves to (CIDR): this network, link-local and with it the metadata of
 * clouds, which gives away credentials, multicast, and the metadata addresses that are not link-local (AWS, Alibaba, Oracle, Google, Azure),
 * also in their NAT64 form.
 */
export const NEVER_REACHED: readonly string[] = [
  '0.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  '::',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
  'fd00:ec2::254',
  'fd20:ce::254',
  '64:ff9b::a9fe:0/112',
  '64:ff9b::6464:64c8',
  '64:ff9b::a83f:8110',
]

/** Addresses of this host itself (CIDR). */
export const LOOPBACK: readonly string[] = ['127.0.0.0/8', '::1']
