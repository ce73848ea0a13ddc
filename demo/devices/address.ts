/** An IPv4 address that arrived over an IPv6 socket, as people know it. */
export function address(ip: unknown): string {
  return typeof ip === 'string' ? ip.replace(/^::ffff:(?=\d+\.)/, '') : 'Unknown';
}
