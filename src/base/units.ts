/** Values as admins write them: "30d", "10MiB", "20/min", "[::]:5222", and what is wrong with the others. */
import { isIP } from 'node:net'

/** A value that does not fit its option: the message follows the value, the hint says what to write instead. */
export class Misfit extends Error {
  constructor(
    message: string,
    readonly hint?: string | undefined,
  ) {
    super(message)
  }
}

/** `count` in every `per` milliseconds. */
export interface Rate {
  readonly count: number
  readonly per: number
}

/** Host as Node wants it: IPv6 without brackets. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** As RFC 6120 §4.9.3.19 and everybody else writes it: an IPv6 address in brackets. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

const spans: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}

const sizes: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
}

/** Milliseconds of "30d", "12h", "5min", "30s", "250ms". */
export function asDuration(raw: unknown): number {
  return withUnit(raw, spans, 'duration')
}

/** Bytes of "100MB" (10^6) or "10MiB" (2^20). */
export function asSize(raw: unknown): number {
  return withUnit(raw, sizes, 'size')
}

/** "20/min"; of bytes: "20KB/s". */
export function asRate(raw: unknown, of: 'bytes' | 'count'): Rate {
  if (typeof raw === 'number') throw new Misfit('has no unit')
  const found = typeof raw === 'string' ? /^(.+)\/(?:1)?([a-z]+)$/.exec(raw.replaceAll(' ', '')) : null
  if (!found) throw new Misfit('is not a rate')
  const [, amount = '', span = ''] = found
  const per = Object.hasOwn(spans, span) ? spans[span] : undefined
  if (per === undefined) throw new Misfit(`has an unknown unit of time "${span}"`)
  if (of === 'bytes') return { count: asSize(amount), per }
  if (!/^\d{1,15}$/.test(amount)) throw new Misfit('is not a rate')
  return { count: Number(amount), per }
}

/** "127.0.0.1:5280", "[::]:5222" or "name:port". */
export function asAddress(text: string): Address {
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  if (!found) {
    if (/^\d{1,5}$/.test(text))
      throw new Misfit('has no address', `write "[::]:${text}" for every address of this machine`)
    if (isIP(text) === 6) throw new Misfit('has no port or no brackets', `write "[${text}]:5222"`)
    throw new Misfit('is not an address and port')
  }
  const [, inBrackets, plain, digits] = found
  const port = Number(digits)
  if (port > 65535) throw new Misfit(`has a port over 65535`)
  if (inBrackets !== undefined && isIP(inBrackets) !== 6)
    throw new Misfit('has no IPv6 address in its brackets')
  return { host: inBrackets ?? plain ?? '', port }
}

/** A domain name, canonical: normalised, lower case, without a final dot. */
export function asDomain(text: string): string {
  const name = text.normalize('NFC').toLowerCase().replace(/\.$/, '')
  if (text.includes('://')) throw new Misfit('is a URL', `write "${name.replace(/^.*:\/\/|[/:].*$/g, '')}"`)
  if (text.includes('@')) throw new Misfit('is an address', `write "${name.slice(name.indexOf('@') + 1)}"`)
  const labels = name.split('.')
  const fits = name.length <= 253 && labels.every((part) => part.length <= 63 && label.test(part))
  if (!fits && isIP(name.replace(/^\[|\]$/g, '')) === 0) throw new Misfit('is not a domain name')
  return name
}

/** An account's address as text, its domain canonical. */
export function asJid(text: string): string {
  const at = text.indexOf('@')
  const local = text.slice(0, Math.max(at, 0))
  if (at < 1 || /[\s"&'/:<>@]/.test(local)) throw new Misfit('is not an address')
  if (text.includes('/')) throw new Misfit('has a resource', `write "${text.slice(0, text.indexOf('/'))}"`)
  return `${local}@${asDomain(text.slice(at + 1))}`
}

/** Letters, digits and inner hyphens; letters of any script. */
const label = /^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?$/u

function withUnit(raw: unknown, units: Readonly<Record<string, number>>, what: string): number {
  if (typeof raw === 'number' || (typeof raw === 'string' && /^\s*\d+(\.\d+)?\s*$/.test(raw)))
    throw new Misfit('has no unit')
  const found = typeof raw === 'string' ? /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*$/.exec(raw) : null
  if (!found) throw new Misfit(`is not a ${what}`)
  const [, amount = '', unit = ''] = found
  if (!Object.hasOwn(units, unit))
    throw new Misfit(
      `has an unknown unit "${unit}"`,
      `units of a ${what} are ${Object.keys(units).join(', ')}`,
    )
  const value = Math.round(Number(amount) * (units[unit] ?? 1))
  if (!Number.isSafeInteger(value)) throw new Misfit('is too large')
  return value
}
