/** What other modules may ask of the message archive (XEP-0313). */
import type { ArchiveEnds } from '../../archive/metadata.js'
import { serviceKey } from '../../host/module.js'
import type { Session } from '../../session/session.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'

export interface Archive {
  /**
   * The id of a stanza in the archive of `account`, if it was archived there: its XEP-0359 stanza-id by the account. Also
   * of one that the account sent, which does not carry it (XEP-0313 §3.5). For stanzas that have passed the gate `sent`
   * or `received` of this process.
   */
  idOf(stanza: Stanza, account: Jid): string | undefined
  /** Its sender has sent it again, and it was archived before. Asked about what a gate has just let through. */
  isRepeated(stanza: Stanza): boolean
  /** Rejects with StorageUnavailable. */
  metadata(account: Jid): Promise<ArchiveEnds>
  /** Whether there is a message of that id. Rejects with StorageUnavailable. */
  has(account: Jid, id: string): Promise<boolean>
  /**
   * Takes the content of a message away and leaves that it was there (XEP-0424 §4): `by` is the id of the stanza that
   * asked for it. False: there is no such message. Rejects with StorageUnavailable.
   */
  tombstone(account: Jid, id: string, by: string | undefined): Promise<boolean>
  /**
   * Of these messages of the session's account those that its client gets from the archive by itself. None for one that
   * does not use it. Rejects with StorageUnavailable.
   */
  reached(session: Session, messages: readonly Stanza[]): Promise<ReadonlySet<Stanza>>
}

export const archiveKey = serviceKey<Archive>('archive')
