/** Words of the protocol: recognised by their bytes, so that no string need be made of them. */
import { NS } from './namespaces.js'

const ELEMENTS =
  'message presence iq body subject thread html show status priority query item group error text x c r a active inactive ' +
  'composing paused gone request received displayed markable acknowledged origin-id stanza-id occupant-id delay store ' +
  'no-store no-permanent-store no-copy private sent forwarded replace reactions reaction reply fallback encryption ' +
  'encrypted header payload key iv keys ping bind session pubsub items publish event vCard field value set max before ' +
  'after enable enabled resume resumed auth response authenticate success failure challenge result'
const ATTRIBUTES =
  'to from id type xml:lang xmlns by stamp jid name subscription ask ver node hash var h queryid namespace affiliation ' +
  'role nick code mechanism version label'
const VALUES =
  'chat normal groupchat headline get unavailable subscribe subscribed unsubscribe unsubscribed probe en de away xa dnd ' +
  'both none remove true false 1 0'
const WORDS = [...Object.values(NS), ...`${ELEMENTS} ${ATTRIBUTES} ${VALUES}`.split(' ')]

// A table with one place for each hash: of two words that share one, the first is found. The letters lie in one row,
// which is faster to compare with than each word.
const SIZE = 4096
const TABLE: string[] = Array.from({ length: SIZE }, () => '')
const ROW = Buffer.from(WORDS.join(''), 'latin1')
const STARTS = new Int32Array(SIZE)

for (let at = 0, i = 0; i < WORDS.length; at += WORDS[i]!.length, i++) {
  const to = at + WORDS[i]!.length
  const slot = slotOf(to - at, ROW[at]!, ROW[middle(at, to)]!, ROW[late(at, to)]!, ROW[to - 1]!)
  if (TABLE[slot] !== '') continue
  TABLE[slot] = WORDS[i]!
  STARTS[slot] = at
}

function middle(from: number, to: number): number {
  return (from + to) >> 1
}

function late(from: number, to: number): number {
  return to - 1 - ((to - from) >> 2)
}

function slotOf(length: number, first: number, middle: number, late: number, last: number): number {
  return (length * 1271 + first * 2645 + middle * 1663 + late * 663 + last * 201) & (SIZE - 1)
}

/** The known word that these bytes are; undefined when they are none. */
export function wordAt(bytes: Buffer, from: number, to: number): string | undefined {
  if (to <= from) return undefined
  const slot = slotOf(
    to - from,
    bytes[from]!,
    bytes[middle(from, to)]!,
    bytes[late(from, to)]!,
    bytes[to - 1]!,
  )
  const word = TABLE[slot]!
  if (word.length !== to - from) return undefined
  for (let at = from, letter = STARTS[slot]!; at < to; at++, letter++) {
    if (bytes[at] !== ROW[letter]) return undefined
  }
  return word
}

/** The same for a part of a text. */
export function wordIn(text: string, from: number, to: number): string | undefined {
  if (to <= from) return undefined
  const slot = slotOf(
    to - from,
    text.charCodeAt(from),
    text.charCodeAt(middle(from, to)),
    text.charCodeAt(late(from, to)),
    text.charCodeAt(to - 1),
  )
  const word = TABLE[slot]!
  if (word.length !== to - from) return undefined
  for (let at = from, letter = STARTS[slot]!; at < to; at++, letter++) {
    if (text.charCodeAt(at) !== ROW[letter]) return undefined
  }
  return word
}
