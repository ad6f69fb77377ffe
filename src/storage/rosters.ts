/** The contract of the roster store: contacts, subscription states and pending requests of an account (RFC 6121 §2, §3). */

export interface RosterItem {
  /** Bare and prepared. */
  readonly jid: string
  readonly name: string
  readonly subscription: 'none' | 'to' | 'from' | 'both'
  /** "Pending Out" of RFC 6121 Appendix A: our request waits for the contact's answer. */
  readonly ask: boolean
  /** RFC 6121 §3.4: the contact's request will be approved without asking. */
  readonly approved: boolean
  readonly groups: readonly string[]
  /** XML of the contact's subscribe stanza while it waits for the user ("Pending In", RFC 6121 §3.1.3). */
  readonly request: string | undefined
  /** There is only a request or a pre-approval: never shown in the roster. */
  readonly hidden: boolean
}

export interface RosterStore {
  /** Items by JID; version 0 is the roster that nobody has touched yet. */
  load(account: number): Promise<{ version: number; items: RosterItem[] }>
  /** Adds or replaces the item of that JID; returns the roster's new version. Rejects when the account is gone. */
  put(account: number, item: RosterItem): Promise<number>
  /** Returns the new version, or the present one when there was no such item. */
  remove(account: number, jid: string): Promise<number>
}
