/** The contract of the room store: rooms, what their owners set, who has a standing in them, and who is in (XEP-0045). */

/** XEP-0045 §5.2. `none` stands for a standing that was taken away. */
export type StoredAffiliation = 'owner' | 'admin' | 'member' | 'outcast' | 'none'

export interface RoomAffiliation {
  /** In canonical form: a bare JID, or a domain with all who are there. */
  readonly jid: string
  readonly affiliation: StoredAffiliation
  readonly reason?: string | undefined
  /** Nobody else may take it (§7.12). */
  readonly nick?: string | undefined
  /** What was filled into the form of registration (§7.10), as JSON says it. */
  readonly registration?: Readonly<Record<string, unknown>> | undefined
}

export interface RoomSubject {
  /** The `<subject/>` elements, each XML that stands alone. */
  readonly xml: string
  /** Who set it: bare JID, and the nick of then. */
  readonly by: string
  readonly nick: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** What lists of rooms show and search. */
export interface RoomListing {
  /** Listed for everybody. */
  readonly public: boolean
  readonly name: string
  readonly description: string
}

export interface RoomRecord {
  /** Never used again for another room. Its negative owns the room's archive. */
  readonly id: number
  readonly domain: string
  readonly local: string
  /** Bare JID of who made it, '' for the server. */
  readonly creator: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Outlives its last occupant. */
  readonly persistent: boolean
  /** Nobody but owners may enter, until it is set up. */
  readonly locked: boolean
  /** By field (`muc#roomconfig_roomname`); what JSON can say, `undefined` members vanish. */
  readonly config: Readonly<Record<string, unknown>>
  readonly subject: RoomSubject | undefined
  /** All but `none`, by JID. */
  readonly affiliations: readonly RoomAffiliation[]
  /** Grows with every change of affiliations (XEP-0463). */
  readonly version: number
}

export type NewRoom = Omit<RoomRecord, 'id'> & { readonly listing: RoomListing }

/** What is not named stays. */
export interface RoomChange {
  readonly config?: Readonly<Record<string, unknown>>
  /** With `config`. */
  readonly listing?: RoomListing
  readonly persistent?: boolean
  readonly locked?: boolean
  readonly subject?: RoomSubject
  readonly affiliations?: {
    /** Higher than the room's version so far. */
    readonly version: number
    /** One per JID at most; each replaces the former one as a whole. */
    readonly entries: readonly RoomAffiliation[]
  }
}

export interface RoomFilter {
  readonly public?: boolean
  readonly persistent?: boolean
  /** Each occurs in localpart, name or description, without regard to case. */
  readonly words?: readonly string[]
}

export interface RoomPage extends RoomFilter {
  /** Localparts, both exclusive. They need not exist. */
  readonly after?: string | undefined
  readonly before?: string | undefined
  /** The first ones that fit, or the last ones; either come by localpart in the order of code points. Default: start. */
  readonly from?: 'start' | 'end'
  /** How many of these are passed over. */
  readonly skip?: number
  readonly limit: number
}

export type RoomSummary = Omit<RoomRecord, 'affiliations' | 'subject'> & { readonly listing: RoomListing }

export interface RoomOccupant {
  readonly room: number
  readonly local: string
  /** Full JID. */
  readonly jid: string
  readonly nick: string
}

/** Removed standings that a room remembers at most for XEP-0463. */
export const removalsKept = 1000

/** `domain` and `local` are prepared (RFC 7622) by the caller. All methods but `occupies` reject with StorageUnavailable. */
export interface RoomStore {
  /** The room's id. 'exists': there is one of that address. 'full': its creator has made `most` that are still there. */
  create(room: NewRoom, most: number): Promise<number | 'exists' | 'full'>
  load(domain: string, local: string): Promise<RoomRecord | undefined>
  /** All or nothing; false when the room is gone. */
  change(room: number, change: RoomChange): Promise<boolean>
  /** With all that belongs to it; false when it was gone before. Its archive goes in small steps afterwards. */
  remove(room: number): Promise<boolean>

  list(domain: string, page: RoomPage): Promise<RoomSummary[]>
  /** How many fit; with `before`, those whose localpart comes before it. */
  count(domain: string, filter?: RoomFilter, before?: string): Promise<number>
  /** Rooms at all domains that this bare JID has made and that are still there. */
  countOf(creator: string): Promise<number>
  /** Where this JID itself has a standing, at all domains; by address. */
  standings(
    jid: string,
  ): Promise<
    readonly { readonly domain: string; readonly local: string; readonly affiliation: StoredAffiliation }[]
  >

  /** What changed after `version`, removed ones as `none`; by JID. Undefined: it is not known any more. */
  changes(room: number, version: number): Promise<readonly RoomAffiliation[] | undefined>

  /** What a feature keeps for a room apart from what is loaded with it, such as its picture. */
  value(room: number, name: string): Promise<unknown>
  /** Undefined removes. Nothing happens when the room is gone. */
  setValue(room: number, name: string, value: unknown): Promise<void>

  /** Who is in, under which nick; undefined: no longer. Written within seconds, so that after a crash they can be told. */
  occupies(room: number, jid: string, nick: string | undefined): void
  /** Who is written down as being in a room of the domain, by room and JID, behind `after`. */
  occupants(
    domain: string,
    page: { readonly after?: Pick<RoomOccupant, 'room' | 'jid'>; readonly limit: number },
  ): Promise<RoomOccupant[]>
  /** Comings and goings that wait to be written. */
  readonly waiting: number
}

/** In what the words of a search must occur. */
export function searchedText(local: string, { name, description }: RoomListing): string {
  return `${local}\n${name}\n${description}`.toLowerCase()
}
