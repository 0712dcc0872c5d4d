/**
 * Whether no proxy between us and the relay sees what we send. A mask keeps content from passing for a request there
 * (RFC 6455, 10.3); where there is none to mislead, a mask of zeros saves both ends to change every byte of what is sent.
 */
export function isUnseen({ protocol, hostname }: { readonly protocol: string; readonly hostname: string }): boolean {
  return protocol === 'wss:' || hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}
