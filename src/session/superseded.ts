/** Presence that need not be told any more: what a client has missed is told as it is, not step by step. */
import type { Stanza } from '../stanza/stanza.js'

/** Without presence that a later one of the same sender makes needless (RFC 6121 §4.2, §4.5); all else in its order. */
export function withoutSuperseded<T extends { readonly stanza: Stanza }>(
  waiting: readonly T[],
): readonly T[] {
  const told = new Set<string>()
  const isNews = ({ stanza: { kind, type, from } }: T): boolean => {
    if (kind !== 'presence' || (type !== undefined && type !== 'unavailable')) return true
    const sender = from.toString()
    const isFirst = !told.has(sender)
    told.add(sender)
    return isFirst
  }
  return waiting.toReversed().filter(isNews).reverse()
}
