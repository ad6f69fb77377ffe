/** Which app servers an account wants to be told (XEP-0357 §5, §6): kept with the account, and in memory while used. */
import { Lru } from '../../base/lru.js'
import { Turns } from '../../base/turns.js'
import type { Host } from '../../host/host.js'
import type { MapStore } from '../../storage/map.js'

/** One device's place at an app server, told apart by `jid` and `node`. */
export interface Registration {
  readonly jid: string
  readonly node?: string | undefined
  /** The publish-options as XML text, if the app server needs some. */
  readonly form?: string | undefined
  /** Of the session that enabled it last: the device. */
  readonly resource: string
  /** Milliseconds since 1970. */
  readonly enabledAt: number
  /** Attempts in a row that failed. */
  readonly failures?: number | undefined
  /** Not tried before that time, in milliseconds since 1970. */
  readonly retryAt?: number | undefined
}

interface Kept {
  readonly registrations: readonly Registration[]
}

const none: readonly Registration[] = Object.freeze([])

/** Accounts whose registrations are in memory, and those known to have none. */
const mostAccounts = 50_000

export class Registrations {
  readonly #store: MapStore<Kept>
  readonly #turns = new Turns()
  readonly #known = new Lru<string, readonly Registration[]>(mostAccounts)
  readonly #most: number

  /** `most` per account. */
  constructor(host: Host, most: number) {
    this.#store = host.map<Kept>('push')
    this.#most = most
  }

  /** Synchronous when they are in memory. Rejects with StorageUnavailable. */
  of(local: string): readonly Registration[] | Promise<readonly Registration[]> {
    return this.#known.get(local) ?? this.#turns.take(local, () => this.#load(local))
  }

  /** Those in memory; undefined when they must be read first. */
  known(local: string): readonly Registration[] | undefined {
    return this.#known.get(local)
  }

  /**
   * Adds it, or puts it in the place of the same one (XEP-0357 §5); gives the one that had to go for it, the one that was
   * there for longest without a change.
   * @throws StorageUnavailable
   */
  async enable(local: string, added: Registration): Promise<Registration | undefined> {
    let dropped: Registration | undefined
    await this.#change(local, (before) => {
      // Clients say it again whenever they log in.
      if (before.some((one) => saysTheSame(one, added))) return before
      const others = before.filter((one) => !isSame(one, added))
      if (others.length >= this.#most) dropped = others.shift()
      return [...others, added]
    })
    return dropped
  }

  /**
   * Removes those of `jid`, or the one of it with that `node` (XEP-0357 §6); gives what is gone.
   * @throws StorageUnavailable
   */
  async disable(local: string, jid: string, node?: string): Promise<readonly Registration[]> {
    let gone: readonly Registration[] = none
    await this.#change(local, (before) => {
      gone = before.filter((one) => one.jid === jid && (node === undefined || one.node === node))
      return before.filter((one) => !gone.includes(one))
    })
    return gone
  }

  /**
   * Notes how attempts went, if it was not enabled anew meanwhile.
   * @throws StorageUnavailable
   */
  note(local: string, noted: Registration, failures: number | undefined, retryAt?: number): Promise<void> {
    return this.#change(local, (before) =>
      before.map((one) => (isUnchanged(one, noted) ? { ...one, failures, retryAt } : one)),
    )
  }

  /**
   * Removes it, if it was not enabled anew meanwhile.
   * @throws StorageUnavailable
   */
  remove(local: string, removed: Registration): Promise<void> {
    return this.#change(local, (before) => before.filter((one) => !isUnchanged(one, removed)))
  }

  forget(local: string): void {
    this.#known.delete(local)
  }

  async #load(local: string): Promise<readonly Registration[]> {
    const known = this.#known.get(local)
    if (known) return known
    const registrations = (await this.#store.get(local))?.registrations ?? none
    this.#known.set(local, registrations)
    return registrations
  }

  /** One change of an account's after the other, or the second would undo the first. */
  #change(
    local: string,
    change: (before: readonly Registration[]) => readonly Registration[],
  ): Promise<void> {
    return this.#turns.take(local, async () => {
      const before = await this.#load(local)
      const after = change(before)
      if (after === before || (after.length === 0 && before.length === 0)) return
      if (after.length === 0) await this.#store.delete(local)
      else await this.#store.set(local, { registrations: after })
      this.#known.set(local, after)
    })
  }
}

function isSame(one: Registration, other: Registration): boolean {
  return one.jid === other.jid && one.node === other.node
}

/** Nothing would be changed by enabling it. */
function saysTheSame(one: Registration, added: Registration): boolean {
  const { form, resource, failures } = one
  return isSame(one, added) && form === added.form && resource === added.resource && failures === undefined
}

function isUnchanged(one: Registration, other: Registration): boolean {
  return isSame(one, other) && one.enabledAt === other.enabledAt
}
