/** XEP-0441: with whom an account wants its messages archived. */
import { Lru } from '../../base/lru.js'
import type { Host } from '../../host/host.js'
import { StanzaError } from '../../stanza/errors.js'
import { Jid, JidError } from '../../stanza/jid.js'
import type { MapStore } from '../../storage/stores.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

export const defaults = ['always', 'roster', 'never'] as const
export type Default = (typeof defaults)[number]

/** As kept. */
interface Stored {
  readonly default: Default
  readonly always: readonly string[]
  readonly never: readonly string[]
}

interface Preferences {
  readonly stored: Stored
  readonly always: ReadonlySet<string>
  readonly never: ReadonlySet<string>
}

/** Accounts whose preferences are remembered. */
const remembered = 20_000
/** Addresses in both lists together. */
const mostAddresses = 1000

export class PreferenceLists {
  readonly #host: Host
  readonly #map: MapStore<Stored>
  /** Of those who never said anything. */
  readonly #usual: Preferences
  readonly #known = new Lru<string, Preferences>(remembered)

  constructor(host: Host, usual: Default) {
    this.#host = host
    this.#map = host.map<Stored>('archive')
    this.#usual = compiled({ default: usual, always: [], never: [] })
  }

  /** Whether the account's messages with `other` are to be archived. Rejects with StorageUnavailable. */
  allows(account: Jid, other: Jid): boolean | Promise<boolean> {
    const known = this.#known.get(account.local)
    if (known) return this.#judge(known, account, other)
    return this.#load(account).then((loaded) => this.#judge(loaded, account, other))
  }

  /** Loads them, if they are not at hand; a failure leaves that to who asks. */
  prepare(account: Jid): void {
    if (!this.#known.get(account.local)) this.#load(account).catch(() => undefined)
  }

  /** `<prefs/>` as they are. Rejects with StorageUnavailable. */
  async get(account: Jid): Promise<Element> {
    return prefs((this.#known.get(account.local) ?? (await this.#load(account))).stored)
  }

  /** Replaces them by what `<prefs/>` asks for. Throws StanzaError; rejects with StorageUnavailable. */
  async set(account: Jid, query: Element): Promise<Element> {
    const stored = read(query)
    if (stored.always.length + stored.never.length > mostAddresses) {
      this.#host.hits.add('archive_preferences')
      throw new StanzaError('resource-constraint', `At most ${mostAddresses} addresses.`, { type: 'cancel' })
    }
    await this.#map.set(account.local, stored)
    this.#known.set(account.local, compiled(stored))
    return prefs(stored)
  }

  /** As they were said, for another server; undefined for who never said anything. */
  async said({ local }: Jid): Promise<Element | undefined> {
    const stored = await this.#map.get(local)
    return stored && prefs(stored)
  }

  /** Takes them over from another server, unless something was said here. Gives what is wrong with them. */
  async adopt(account: Jid, query: Element): Promise<string | undefined> {
    if (await this.#map.get(account.local)) return undefined
    try {
      await this.set(account, query)
      return undefined
    } catch (error) {
      if (error instanceof StanzaError) return error.text ?? error.condition
      throw error
    }
  }

  /** The account is gone, or another one has its name now. */
  forget({ local }: Jid): void {
    this.#known.delete(local)
  }

  async #load({ local }: Jid): Promise<Preferences> {
    const stored = await this.#map.get(local)
    const loaded = stored ? compiled(stored) : this.#usual
    // What was set meanwhile is newer.
    const known = this.#known.get(local)
    if (!known) this.#known.set(local, loaded)
    return known ?? loaded
  }

  /** XEP-0441 §2.3. */
  #judge({ stored, always, never }: Preferences, account: Jid, other: Jid): boolean | Promise<boolean> {
    const bare = other.bare.toString()
    if (never.size > 0 && (never.has(bare) || never.has(other.toString()))) return false
    if (stored.default === 'always') return true
    if (always.size > 0 && (always.has(bare) || always.has(other.toString()))) return true
    if (stored.default === 'never') return false
    if (other.bare.equals(account.bare)) return true
    const { roster } = this.#host
    const contacts = roster.cached(account)
    if (contacts) return contacts.get(other.bare).listed
    return roster.load(account).then((loaded) => loaded?.get(other.bare).listed === true)
  }
}

function compiled(stored: Stored): Preferences {
  return { stored, always: new Set(stored.always), never: new Set(stored.never) }
}

function prefs({ default: usual, always, never }: Stored): Element {
  const listed = (name: string, addresses: readonly string[]) =>
    el(name, undefined, undefined, ...addresses.map((one) => el('jid', undefined, undefined, one)))
  return el('prefs', NS.archive, { default: usual }, listed('always', always), listed('never', never))
}

function read(query: Element): Stored {
  const usual = defaults.find((one) => one === query.attrs['default'])
  if (!usual) throw new StanzaError('bad-request', 'The default is always, never or roster.')
  return { default: usual, always: addressesOf(query, 'always'), never: addressesOf(query, 'never') }
}

/** Prepared, each once. */
function addressesOf(query: Element, name: string): string[] {
  const listed = query.child(name, NS.archive)?.childrenOf('jid', NS.archive) ?? []
  try {
    return [...new Set(listed.map(({ text }) => Jid.parse(text.trim()).toString()))]
  } catch (error) {
    throw error instanceof JidError ? new StanzaError('jid-malformed', error.message) : error
  }
}
