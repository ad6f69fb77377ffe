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

// A table with one place for each hash: of two words that share one, the first is found.
const SIZE = 4096
const TABLE: (string | undefined)[] = Array.from({ length: SIZE }, () => undefined)
for (const word of WORDS) {
  const slot = slotOf(
    word.length,
    word.charCodeAt(0),
    word.charCodeAt(word.length >> 1),
    word.charCodeAt(word.length - 1),
    word.charCodeAt((word.length * 3) >> 2),
  )
  TABLE[slot] ??= word
}

function slotOf(length: number, first: number, middle: number, last: number, late: number): number {
  return (length * 37 + first * 7 + middle * 331 + last * 1201 + late * 53) & (SIZE - 1)
}

/** The known word that these bytes are; undefined when they are none. */
export function wordAt(bytes: Buffer, from: number, to: number): string | undefined {
  const length = to - from
  if (length <= 0) return undefined
  const middle = bytes[from + (length >> 1)]!
  const word = TABLE[slotOf(length, bytes[from]!, middle, bytes[to - 1]!, bytes[from + ((length * 3) >> 2)]!)]
  if (word === undefined || word.length !== length) return undefined
  for (let i = 0; i < length; i++) {
    if (word.charCodeAt(i) !== bytes[from + i]) return undefined
  }
  return word
}

/** The same for a part of a text. */
export function wordIn(text: string, from: number, to: number): string | undefined {
  const length = to - from
  if (length <= 0) return undefined
  const word =
    TABLE[
      slotOf(
        length,
        text.charCodeAt(from),
        text.charCodeAt(from + (length >> 1)),
        text.charCodeAt(to - 1),
        text.charCodeAt(from + ((length * 3) >> 2)),
      )
    ]
  if (word === undefined || word.length !== length) return undefined
  for (let i = 0; i < length; i++) {
    if (word.charCodeAt(i) !== text.charCodeAt(from + i)) return undefined
  }
  return word
}
