/** The contract of the archive store: messages of years, by owner and in the order in which they came (XEP-0313). */

/**
 * Whose archive it is: the row of an account, which is positive, or minus the row of a room. An id is unique within its
 * owner and never used again.
 */
export type ArchiveOwner = number

export interface NewArchived {
  readonly owner: ArchiveOwner
  /**
   * The other side of the conversation: its bare JID, and its resource ('' for none). The owner's own for notes to
   * itself. In rooms: who spoke, by the real JID, and the room for itself.
   */
  readonly with: string
  readonly resource: string
  readonly groupchat: boolean
  /** The whole stanza with its namespace, as it was sent or received. */
  readonly stanza: string
  /**
   * What its sender calls it (XEP-0359), with who said it to whom: the same within 24 hours is the same message, sent
   * again. Undefined when its sender does not say.
   */
  readonly origin: bigint | undefined
  /** Another one of the same origin is another message all the same. Default false. */
  readonly isNew?: boolean
}

/** A message from another server's archive, or from ours of another time. */
export interface RestoredMessage extends Omit<NewArchived, 'origin' | 'isNew'> {
  /** As `isArchiveId` says; it carries the moment. */
  readonly id: string
}

export interface Archived {
  /** An opaque string to clients. Grows with the order of the archive; carries `at`. */
  readonly id: string
  /** As in `NewArchived`. */
  readonly with: string
  readonly resource: string
  readonly stanza: string
  /** Milliseconds since 1970 at which it was sent or received. */
  readonly at: number
}

/** What was taken to be written. */
export interface Taken {
  /** Known before it is written. That of the earlier one, when the message is known already. */
  readonly id: string
  /** It is not new: nothing was taken. */
  readonly again: boolean
  /** Resolves when it is durable. Rejects with StorageUnavailable; then it may be written or not. */
  readonly written: Promise<void>
}

/** Which messages of an archive; all members must fit. */
export interface ArchiveFilter {
  /** Milliseconds since 1970, both inclusive. */
  readonly start?: number | undefined
  readonly end?: number | undefined
  /** Ids, both exclusive. They need not exist. */
  readonly after?: string | undefined
  readonly before?: string | undefined
  readonly ids?: readonly string[] | undefined
  /** The other side: any of its resources when `resource` is undefined. */
  readonly with?: { readonly bare: string; readonly resource?: string | undefined } | undefined
  /** False: without messages of rooms. Default true. */
  readonly groupchat?: boolean | undefined
  readonly sift?: Sift | undefined
}

/** A search in the text of stanzas. */
export interface Sift {
  /** Each occurs somewhere in the stanza as it is written, without regard to case: a first and coarse look. */
  readonly words: readonly string[]
  /** Decides about those that pass it. */
  test(stanza: string): boolean
}

export interface ArchiveSlice {
  /** The oldest ones that fit, or the newest ones. Either comes in the order of the archive. */
  readonly from: 'start' | 'end'
  /** How many of these are passed over. */
  readonly skip?: number | undefined
  readonly count: number
  /** Bytes of stanzas at most; the first one is always there. */
  readonly bytes: number
}

export interface ArchivePage {
  readonly messages: readonly Archived[]
  /** Nothing that fits lies further in the direction of the slice. */
  readonly complete: boolean
}

/** All methods but `add` reject with StorageUnavailable. */
export interface ArchiveStore {
  /** False while it is known that nothing can be written. */
  readonly available: boolean
  /** Messages in all archives, roughly, for metrics. */
  readonly size: number
  /** Messages that wait to be written. */
  readonly waiting: number
  /** When what nobody keeps was removed last, in milliseconds since 1970; 0: not since the start. */
  readonly purgedAt: number
  /**
   * Takes a message to be written. Ids grow in the order of the calls, and messages become visible in that order. Those
   * with the same `message` that are added one right after the other are written in one commit.
   * @throws StorageUnavailable when too many wait to be written
   */
  add(entry: NewArchived, message: object): Taken
  /** The id of the message of that origin, if there is one of the last 24 hours; `add` knows it from then on. */
  recall(owner: ArchiveOwner, origin: bigint): Promise<string | undefined>
  /** What was added so far can be read when this resolves, unless it failed. */
  settled(): Promise<void>
  page(owner: ArchiveOwner, filter: ArchiveFilter, slice: ArchiveSlice): Promise<ArchivePage>
  /** How many fit, and how many of these lie before the id `first`. Undefined when there are more than `most`. */
  count(
    owner: ArchiveOwner,
    filter: ArchiveFilter,
    options?: { readonly first?: string; readonly most?: number },
  ): Promise<{ readonly count: number; readonly index: number } | undefined>
  /** The ids by which these messages stand in the archive, for those that do. One may be known by a second id. */
  find(owner: ArchiveOwner, ids: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** Puts another stanza into the place of one. */
  replace(owner: ArchiveOwner, id: string, stanza: string): Promise<void>
  /** Puts messages into their places in the past, durably; those whose id is there already stay as they are. */
  restore(messages: readonly RestoredMessage[]): Promise<void>
  /** Removes the messages before `before`, in milliseconds since 1970, or all; in small steps. How many there were. */
  remove(owner: ArchiveOwner, before?: number): Promise<number>
  /**
   * How long messages of the accounts or rooms of `domain` are kept, in milliseconds; Infinity: always. From then on
   * what is older is removed in the background. What nobody has said a time for stays.
   */
  keep(domain: string, ms: number): void
  /** The same for one archive, if that is shorter; kept until something else is said. Infinity: as its domain says. */
  keepOf(owner: ArchiveOwner, ms: number): Promise<void>
}

/** Milliseconds for which a message that is sent again is recognised at least. */
export const originsKept = 24 * 60 * 60 * 1000
