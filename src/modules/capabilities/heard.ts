/** Resources that are known by the presence that has reached accounts here. */
import type { Advertised } from './advertised.js'
import type { Unknown } from './inquiries.js'
import { Lru } from '../../base/lru.js'
import type { LimitHits } from '../../base/limit-hits.js'
import type { Jid } from '../../stanza/jid.js'

/** An available resource, elsewhere or one of ours that does not broadcast its presence. */
export interface Resource {
  readonly jid: Jid
  /** Bare JIDs of the accounts that it is available to, by localpart. */
  readonly accounts: Map<string, Jid>
  advertised: Advertised | undefined
  features: ReadonlySet<string> | undefined
  /** The question for its features that is open. */
  question: Unknown | undefined
}

/** That one account has heard of one resource. */
interface Hearing {
  readonly account: Jid
  readonly resource: Resource
}

/** Resources of one contact that one account remembers; the oldest makes room. */
const mostOfContact = 20

export class Heard {
  readonly #resources = new Map<string, Resource>()
  /** By the account's localpart, then by the contact's bare JID, in the order of first presence. */
  readonly #accounts = new Map<string, Map<string, Set<Resource>>>()
  readonly #hearings: Lru<string, Hearing>
  readonly #hits: LimitHits
  readonly #unused: (resource: Resource) => void

  /** At most `bound` pairs of account and resource; `unused` is told of a resource that no account hears of any more. */
  constructor(bound: number, hits: LimitHits, unused: (resource: Resource) => void) {
    this.#hearings = new Lru(bound)
    this.#hits = hits
    this.#unused = unused
  }

  get size(): number {
    return this.#hearings.size
  }

  get(full: Jid): Resource | undefined {
    return this.#resources.get(full.toString())
  }

  *by(account: Jid): Generator<Jid> {
    for (const resources of this.#accounts.get(account.local)?.values() ?? [])
      for (const { jid } of resources) yield jid
  }

  /** The resource is available to the account; `fresh` when that is news. */
  add(full: Jid, account: Jid): { readonly resource: Resource; readonly fresh: boolean } {
    const name = full.toString()
    let resource = this.#resources.get(name)
    if (!resource) {
      resource = {
        jid: full,
        accounts: new Map(),
        advertised: undefined,
        features: undefined,
        question: undefined,
      }
      this.#resources.set(name, resource)
    }
    const fresh = !resource.accounts.has(account.local)
    resource.accounts.set(account.local, account)
    if (fresh) this.#file(resource, account)
    const gone = this.#hearings.set(keyOf(account, full), { account, resource })
    if (gone) this.#evict(gone)
    return { resource, fresh }
  }

  /** No longer available to the account. */
  remove(full: Jid, account: Jid): void {
    const resource = this.#resources.get(full.toString())
    if (!resource?.accounts.delete(account.local)) return
    this.#hearings.delete(keyOf(account, full))
    const contacts = this.#accounts.get(account.local)
    const resources = contacts?.get(full.bare.toString())
    resources?.delete(resource)
    if (resources?.size === 0) contacts?.delete(full.bare.toString())
    if (contacts?.size === 0) this.#accounts.delete(account.local)
    if (resource.accounts.size > 0) return
    this.#resources.delete(full.toString())
    this.#unused(resource)
  }

  /** No longer available to anybody. */
  removeResource(full: Jid): void {
    for (const account of this.get(full)?.accounts.values() ?? []) this.remove(full, account)
  }

  /** All that the account has heard. */
  removeAll(account: Jid): void {
    for (const full of this.by(account)) this.remove(full, account)
  }

  #file(resource: Resource, account: Jid): void {
    let contacts = this.#accounts.get(account.local)
    if (!contacts) this.#accounts.set(account.local, (contacts = new Map()))
    const contact = resource.jid.bare.toString()
    let resources = contacts.get(contact)
    if (!resources) contacts.set(contact, (resources = new Set()))
    resources.add(resource)
    const [oldest] = resources
    if (resources.size > mostOfContact && oldest) this.#evict({ account, resource: oldest })
  }

  #evict({ account, resource }: Hearing): void {
    this.#hits.add('caps_resources')
    this.remove(resource.jid, account)
  }
}

function keyOf(account: Jid, full: Jid): string {
  return `${account.local} ${full.toString()}`
}
