/** Option types: what a setting is called, means, defaults to and accepts; documents and checks are made from them. */
import { nearest } from './nearest.js'
import { option, required } from './option.js'
import type { More, Option } from './option.js'
import { asAddress, asDomain, asDuration, asJid, asRate, asSize, Misfit } from './units.js'
import type { Address, Rate } from './units.js'

export { isSecret, isTable, option, options, required, table, toml, written } from './option.js'
export type { More, Node, Option, Path, Reading, Reload, Schema, Table } from './option.js'
export { Misfit } from './units.js'
export type { Address, Rate } from './units.js'

type Needed = typeof required
type Given<F, V> = F extends undefined ? V | undefined : V

export function flag(fallback: boolean, doc: string, more: More = {}): Option<boolean> {
  return option({
    ...base('flag', fallback, doc, more),
    expects: 'true or false',
    parse(raw) {
      if (typeof raw !== 'boolean') throw new Misfit('is neither true nor false')
      return raw
    },
    fromText: (written) => flagWords.get(written.trim().toLowerCase()) ?? written,
  })
}

/** Text of several lines, of at most `max` characters. */
export function lines<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & { max?: number } = {},
): Option<Given<F, string>> {
  const { max = 10_000 } = more
  return option({
    ...base('lines', fallback, doc, more),
    expects: 'text in quotes',
    parse(raw) {
      const all = asText(raw)
      if (all.length > max) throw new Misfit(`is longer than ${max} characters`)
      // XML 1.0 §2.2: what no stanza can hold.
      if (/[\0-\x08\x0b\x0c\x0e-\x1f\p{Surrogate}\ufffe\uffff]/u.test(all))
        throw new Misfit('has characters that cannot be sent')
      return all
    },
  })
}

/** A line of text of at most `max` characters (default 1,000); with `pattern` it must match, `expects` says so in words. */
export function text<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & { max?: number; pattern?: RegExp; expects?: string } = {},
): Option<Given<F, string>> {
  const { max = 1000, pattern, expects = 'text in quotes' } = more
  return option({
    ...base('text', fallback, doc, more),
    expects,
    parse(raw) {
      const line = asText(raw)
      if (line.length > max) throw new Misfit(`is longer than ${max} characters`)
      if (line.includes('\n')) throw new Misfit('has more than one line')
      if (pattern && !pattern.test(line)) throw new Misfit(`is not ${expects}`)
      return line
    },
  })
}

/** A whole number within `min` and `max`; `off` gives `Infinity`. `unit` is for the reader: "messages". */
export function number<const F extends number | 'off' | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & { min?: number; max?: number; unit?: string } = {},
): Option<Given<F, number>> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER, unit } = more
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `from ${min} to ${max}`
  return option({
    ...base('number', fallback, doc, more),
    expects: orOff(`a whole number ${range}${unit ? ` (${unit})` : ''}`, more),
    parse(raw) {
      if (isOff(raw, more)) return Infinity
      if (typeof raw !== 'number' || !Number.isSafeInteger(raw)) throw new Misfit('is not a whole number')
      if (raw < min || raw > max) throw new Misfit(`is not ${range}`)
      return raw
    },
    fromText: (written) => (/^[+-]?\d+$/.test(written.trim()) ? Number(written) : written),
  })
}

/** A span of time such as "30d"; the value is milliseconds. `min` and `max` are written alike. */
export function duration<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & { min?: string; max?: string } = {},
): Option<Given<F, number>> {
  return measure(base('duration', fallback, doc, more), asDuration, 'a duration such as "30d" or "12h"', more)
}

/** An amount of bytes such as "100MB" (decimal) or "10MiB" (binary); the value is bytes. */
export function size<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & { min?: string; max?: string } = {},
): Option<Given<F, number>> {
  return measure(base('size', fallback, doc, more), asSize, 'a size such as "100MB" or "10MiB"', more)
}

/** So much per time: "20/min", or with `bytes` "20KB/s". Off gives an infinite count. */
export function rate<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & { bytes?: boolean } = {},
): Option<Given<F, Rate>> {
  const example = more.bytes ? 'a rate such as "20KB/s"' : 'a rate such as "20/min"'
  return option({
    ...base('rate', fallback, doc, more),
    expects: orOff(example, more),
    parse: (raw) =>
      isOff(raw, more) ? { count: Infinity, per: 1000 } : asRate(raw, more.bytes ? 'bytes' : 'count'),
  })
}

/** One of a few words. */
export function choice<const W extends string>(
  words: readonly W[],
  fallback: W | Needed,
  doc: string,
  more: More = {},
): Option<W> {
  const expects = `one of ${words.map((word) => `"${word}"`).join(', ')}`
  return option<W>({
    ...base('choice', fallback, doc, more),
    expects,
    choices: words,
    parse(raw) {
      const word = words.find((known) => known === raw)
      if (word) return word
      const close = typeof raw === 'string' ? nearest(raw, words) : undefined
      throw new Misfit(`is not ${expects}`, close && `did you mean "${close}" ?`)
    },
  })
}

/** Several values of one kind (`of` without default: its own is not used); one value alone is a list of one. At most 1,000. */
export function list<T>(
  of: Option<T>,
  fallback: readonly unknown[],
  doc: string,
  more: More & { min?: number } = {},
): Option<readonly T[]> {
  return option({
    ...base('list', fallback, doc, more),
    expects: `a list, each ${of.expects}`,
    parse(raw) {
      const items: unknown[] = Array.isArray(raw) ? raw : [raw]
      if (items.length > 1000) throw new Misfit('has more than 1000 entries')
      if (items.length < (more.min ?? 0)) throw new Misfit('is empty', `write a list, each ${of.expects}`)
      return items.map((item) => {
        try {
          return of.parse(item)
        } catch (fault) {
          if (fault instanceof Misfit)
            throw new Misfit(`: ${of.show(item)} ${fault.message}`, fault.hint ?? `write ${of.expects}`)
          throw fault
        }
      })
    },
    fromText: (written) =>
      listFromText(written).map((item) => (typeof item === 'string' ? of.fromText(item) : item)),
    show: (raw) => (Array.isArray(raw) ? `[${raw.map((item) => of.show(item)).join(', ')}]` : of.show(raw)),
  })
}

/** An address and port: "[::]:5222", "127.0.0.1:5280", "xmpp.example.org:5222". */
export function address<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More = {},
): Option<Given<F, Address>> {
  return option({
    ...base('address', fallback, doc, more),
    expects: 'an address and port such as "127.0.0.1:5280" or "[::]:5222"',
    parse: (raw) => asAddress(asText(raw)),
  })
}

/** Where to listen: one address, a list of them, or "off", which gives none. */
export function listeners(
  fallback: string | readonly string[],
  doc: string,
  more: More = {},
): Option<readonly Address[]> {
  const of = address(required, doc, more)
  const many = list(of, [], doc, more)
  return option({
    ...base('list', fallback, doc, { reload: 'restart', ...more }),
    expects: `${of.expects}, a list of them, or "off"`,
    parse: (raw) => (raw === 'off' ? [] : many.parse(raw)),
    fromText: (written) => (written === 'off' ? 'off' : many.fromText(written)),
    show: (raw) => many.show(raw),
  })
}

/** A bare address such as "ana@example.org", as text: who uses it prepares it. */
export function jid<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More = {},
): Option<Given<F, string>> {
  return option({
    ...base('jid', fallback, doc, more),
    expects: 'an address such as "ana@example.org"',
    parse: (raw) => asJid(asText(raw)),
  })
}

/** A domain name in lower case, international ones in their own letters. */
export function domain<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More = {},
): Option<Given<F, string>> {
  return option({
    ...base('domain', fallback, doc, more),
    expects: 'a domain such as "example.org"',
    parse: (raw) => asDomain(asText(raw)),
  })
}

/** The path of a file or folder, absolute in the value. */
export function file<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More = {},
): Option<Given<F, string>> {
  return option({
    ...base('file', fallback, doc, more),
    expects: 'the path of a file',
    parse(raw) {
      const name = asText(raw)
      if (name === '' || name.includes('\0')) throw new Misfit('is not the path of a file')
      return name
    },
    place: (value, path, reading) => reading.resolve(path, String(value)),
  })
}

/**
 * A value never shown. It may also be given as KEY_file: a file that holds nothing else. `mask` shows what is no secret;
 * `wrong` says in words without the value what is wrong with it.
 */
export function secret<const F extends string | undefined | Needed>(
  fallback: F,
  doc: string,
  more: More & {
    mask?: (value: string) => string
    wrong?: (value: string) => { message: string; hint: string } | undefined
  } = {},
): Option<Given<F, string>> {
  const mask = more.mask ?? (() => '********')
  return option({
    ...base('secret', fallback, doc, more),
    expects: 'text in quotes, or better the file that holds it: KEY_file = "/run/secrets/..."',
    parse(raw) {
      const value = asText(raw)
      if (value === '') throw new Misfit('is empty')
      const wrong = more.wrong?.(value)
      if (wrong) throw new Misfit(wrong.message, wrong.hint)
      return value
    },
    show: (raw) => (typeof raw === 'string' ? JSON.stringify(mask(raw)) : '"********"'),
  })
}

const flagWords = new Map([
  ['true', true],
  ['on', true],
  ['yes', true],
  ['1', true],
  ['false', false],
  ['off', false],
  ['no', false],
  ['0', false],
])

function base(kind: string, fallback: unknown, doc: string, { reload = 'applied' }: More) {
  return { kind, fallback, doc, reload }
}

function measure<T>(
  parts: ReturnType<typeof base>,
  parse: (raw: unknown) => number,
  expects: string,
  more: More & { min?: string; max?: string },
): Option<T> {
  return option<T>({
    ...parts,
    expects: orOff(expects, more),
    parse(raw) {
      if (isOff(raw, more)) return Infinity
      const value = parse(raw)
      if (more.min !== undefined && value < parse(more.min))
        throw new Misfit(`is too small`, `write ${more.min} or more`)
      if (more.max !== undefined && value > parse(more.max))
        throw new Misfit(`is too large`, `write ${more.max} or less`)
      return value
    },
  })
}

function asText(raw: unknown): string {
  if (typeof raw !== 'string') throw new Misfit('is not text in quotes')
  return raw
}

/** `a, b` or a JSON list. */
function listFromText(written: string): unknown[] {
  const trimmed = written.trim()
  if (trimmed === '') return []
  if (trimmed.startsWith('[')) {
    try {
      const parsed: unknown = JSON.parse(trimmed)
      if (Array.isArray(parsed)) return parsed as unknown[]
    } catch {
      // An IPv6 address such as [::]:5222 begins alike: read it as a plain entry.
    }
  }
  return trimmed.split(',').map((item) => item.trim())
}

const isOff = (raw: unknown, more: More) => more.off === true && raw === 'off'
const orOff = (expects: string, more: More) => (more.off ? `${expects}, or "off"` : expects)
