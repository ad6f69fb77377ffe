/** Whose address it is: limits count networks, since who has one IPv6 address has 2^64 beside it. */
import { isIPv6 } from 'node:net'

/** An IPv4 address as it is, also when written as IPv6 (::ffff:192.0.2.1); of an IPv6 address its /64, as "2001:db8:0:1". */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped) return mapped[1]!
  if (!isIPv6(address)) return address
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':') : []
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0')
  const groups = [...before, ...zeros, ...after].slice(0, 4)
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')
}
