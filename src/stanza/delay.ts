/** When something happened: XEP-0082 moments and the XEP-0203 element that carries one. */
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import type { Jid } from './jid.js'
import type { Stanza } from './stanza.js'

/** A moment as XEP-0082 §3.2 writes it, in UTC with milliseconds: `2030-01-01T00:00:00.000Z`. `at` is in milliseconds since 1970. */
export function formatMoment(at: number): string {
  return new Date(at).toISOString()
}

const moment = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?(?:Z|([+-])(\d\d):(\d\d))$/

/** The moment in milliseconds since 1970, or undefined when the text is not a XEP-0082 DateTime. Finer fractions are cut off. */
export function parseMoment(text: string): number | undefined {
  const parts = moment.exec(text)
  if (!parts) return undefined
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const zoneHour = Number(parts[9] ?? 0)
  const zoneMinute = Number(parts[10] ?? 0)
  if (hour > 23 || minute > 59 || second > 59 || zoneHour > 14 || zoneMinute > 59) return undefined
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  // A day that the month does not have rolls over into the next.
  if (date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day)
    return undefined
  const milliseconds = Number((parts[7] ?? '').padEnd(3, '0').slice(0, 3))
  date.setUTCHours(hour, minute, second, milliseconds)
  // A zone of +07:00 is ahead of UTC, so what its clocks show is later.
  const ahead = (zoneHour * 60 + zoneMinute) * 60_000
  return date.getTime() - (parts[8] === '-' ? -ahead : ahead)
}

/**
 * The stanza with what XEP-0203 §4 wants of one that comes late: since when, unless `by` said so before. What strangers said
 * in its name was taken off when the stanza came.
 */
export function delayed(stanza: Stanza, by: Jid, at: number, reason?: string): Stanza {
  if (stanza.has('delay', NS.delay)) {
    const own = by.toString()
    for (const { local, ns, attrs } of stanza.children)
      if (local === 'delay' && ns === NS.delay && attrs['from'] === own) return stanza
  }
  return stanza.withChild(delay(by, at, reason))
}

/** A `<delay/>` (XEP-0203 §3): `by` (when it is to be said) held the stanza back since `at`, in milliseconds since 1970. */
export function delay(by: Jid | undefined, at: number, reason?: string): Element {
  return el('delay', NS.delay, { from: by?.toString(), stamp: formatMoment(at) }, reason)
}
