/** What other modules do with personal eventing (XEP-0163): the pubsub service at each account's bare address. */
import { serviceKey } from '../../host/module.js'
import type { Jid } from '../../stanza/jid.js'
import type { Element } from '../../xml/element.js'

/** XEP-0060 §4.5: who may subscribe and read. */
export type AccessModel = 'authorize' | 'open' | 'presence' | 'roster' | 'whitelist'

/** XEP-0060 §16.4.4: when the last item is sent without being asked for. */
export type SendLast = 'never' | 'on_sub' | 'on_sub_and_presence'

/** What may be asked of a node that a publication creates; what is left out is as XEP-0163 wants it by default. */
export interface PepOptions {
  /** Default `presence`. */
  readonly access?: AccessModel
  /** Items that are kept, oldest given up first; `max`: as many as the server allows. Default 1. */
  readonly maxItems?: number | 'max'
  /** Whether items are kept at all. Default true. */
  readonly persist?: boolean
  /** Default `on_sub_and_presence`. */
  readonly sendLast?: SendLast
  /** Whether retractions are told to subscribers. Default false. */
  readonly notifyRetract?: boolean
}

/** Payloads are shared: do not change them. */
export interface PepItem {
  readonly id: string
  readonly payload: Element
  readonly publisher?: Jid
}

/** Something happened at a node: one item was published, one retracted, or all are gone. */
export interface PepEvent {
  readonly account: Jid
  readonly node: string
  readonly item?: PepItem
  /** Id of the item that was retracted. */
  readonly retracted?: string
  /** All items are gone: the node was emptied, or deleted with them. */
  readonly gone?: 'purged' | 'deleted'
  /** Who did it; undefined when a module of this server did. */
  readonly by?: Jid
}

/** What somebody is about to publish. */
export interface PepDraft {
  readonly account: Jid
  readonly node: string
  readonly id: string
  readonly payload: Element
  /** As in `PepEvent`. */
  readonly by?: Jid
}

/** `account` is the bare address of an account of this host. Everything here may reject with StorageUnavailable. */
export interface Pep {
  /** Items that a node may keep at most: what `max` means. */
  readonly mostItems: number
  /**
   * Publishes as the owner does: stores the item, tells subscribers, and resolves with its id when both is done. The node
   * is made, with `options`, if there is none; one that is there keeps its configuration. An item of the same id is
   * replaced. `by`, of a session, is named as publisher.
   * @throws StanzaError as a guard, or `resource-constraint` when the account has too many nodes
   */
  publish(
    account: Jid,
    node: string,
    item: { readonly id?: string; readonly payload: Element },
    options?: PepOptions,
    by?: Jid,
  ): Promise<string>
  /** As the owner sees them, newest last; none when there is no such node. `ids` that are not there are left out. */
  items(
    account: Jid,
    node: string,
    which?: { readonly max?: number; readonly ids?: readonly string[] },
  ): Promise<readonly PepItem[]>
  /** As above, for who may not be the owner: none when `reader`, bare or full, may not read them (XEP-0060 §4.5). */
  readable(
    account: Jid,
    node: string,
    reader: Jid,
    which?: { readonly max?: number; readonly ids?: readonly string[] },
  ): Promise<readonly PepItem[]>
  /** Removes an item, if it is there; subscribers are told if `notify` or the node says so. */
  retract(account: Jid, node: string, id: string, notify?: boolean): Promise<void>
  /** Removes a node with its items, if it is there, and tells subscribers. */
  deleteNode(account: Jid, node: string): Promise<void>
  /** Who may read the node's items; undefined when there is none of that name. */
  accessOf(account: Jid, node: string): Promise<AccessModel | undefined>
  /** Names of the account's nodes. */
  nodes(account: Jid): Promise<readonly string[]>
  /**
   * Told after it happened at that node of any account of this host, in order; a crash is logged. What it returns is
   * waited for before the publisher has an answer. The result ends it.
   */
  watch(node: string, on: (event: PepEvent) => void | Promise<void>): () => void
  /**
   * Asked before an item is stored: throws StanzaError to refuse it, or returns what is to be stored in its place. Not
   * asked when a module publishes without `by`. The result ends it.
   */
  guard(
    node: string,
    check: (
      draft: PepDraft,
    ) => Pick<PepDraft, 'id' | 'payload'> | void | Promise<Pick<PepDraft, 'id' | 'payload'> | void>,
  ): () => void
}

export const pepKey = serviceKey<Pep>('pep')
