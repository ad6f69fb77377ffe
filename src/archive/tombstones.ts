/** XEP-0424 §4: what was retracted is taken out of the archive; that it was there stays. */
import { formatMoment } from '../stanza/delay.js'
import type { Jid } from '../stanza/jid.js'
import { Stanza } from '../stanza/stanza.js'
import type { ArchiveOwner, ArchiveStore } from '../storage/archive.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { escapeAttribute } from '../xml/write.js'

/** Messages of one id that a retraction takes away: the first and its corrections. */
const mostAtOnce = 100

export function isRetraction(stanza: Stanza): boolean {
  return stanza.has('retract', NS.retraction)
}

/** The id of the message that a retraction is about. */
export function retractedBy(stanza: Stanza): string | undefined {
  const id = stanza.child('retract', NS.retraction)?.attrs['id']
  return id === '' ? undefined : id
}

/**
 * Replaces what the retraction is about, and its corrections (XEP-0308 §4), in one archive by tombstones: only what the
 * same bare address said to the same one (XEP-0424 §5). `other` is the other side of the conversation. Rejects with
 * StorageUnavailable.
 */
export async function retract(
  store: ArchiveStore,
  owner: ArchiveOwner,
  other: Jid,
  retraction: { readonly stanza: Stanza; readonly target: string; readonly at: number },
): Promise<void> {
  const { stanza, target, at } = retraction
  const isMeant = (text: string): boolean => {
    const message = readable(text)
    if (!message || !message.from.bare.equals(stanza.from.bare)) return false
    if (message.type === 'groupchat' || message.has('retract', NS.retraction)) return false
    return message.id === target || message.child('replace', NS.correction)?.attrs['id'] === target
  }
  const sift = { words: [escapeAttribute(target)], test: isMeant }
  const filter = { with: { bare: other.bare.toString() }, sift }
  const slice = { from: 'end', count: mostAtOnce, bytes: Infinity } as const
  const { messages } = await store.page(owner, filter, slice)
  for (const { id, stanza: text } of messages) await store.replace(owner, id, tombstone(text, stanza.id, at))
}

/**
 * The message with its content replaced; `by` is the id of the stanza that asked for it, at `at`. What says who spoke stays
 * (XEP-0425 §4). `content`: what else is to be said of it.
 */
export function tombstone(
  text: string,
  by: string | undefined,
  at: number,
  ...content: readonly Element[]
): string {
  const message = readable(text)
  if (!message) return text
  const { kind, type, id, from, to } = message
  const retracted = el('retracted', NS.retraction, { id: by ?? '', stamp: formatMoment(at) }, ...content)
  const speaker = message.child('occupant-id', NS.occupantId)
  return Stanza.of({ kind, type, id, from, to }, speaker, retracted).toStandaloneXml()
}

function readable(text: string): Stanza | undefined {
  try {
    return Stanza.parse(text)
  } catch {
    // What cannot be read cannot be meant; whoever asks for it gets a placeholder.
    return undefined
  }
}
