/** What passes the gates goes into the archives of those who said it and who got it, with an id of its own there. */
import type { PreferenceLists } from './preferences.js'
import { originOf } from '../../archive/origin.js'
import { isRetraction, retract, retractedBy } from '../../archive/tombstones.js'
import { isWorthArchiving } from '../../archive/worth.js'
import type { Counter } from '../../base/metrics.js'
import type { Gates, Verdict } from '../../host/hooks.js'
import type { Host } from '../../host/host.js'
import { StanzaError } from '../../stanza/errors.js'
import { arrivalOf } from '../../stanza/arrival.js'
import { readJid, type Jid } from '../../stanza/jid.js'
import { isPrivateInRoom } from '../../stanza/occupants.js'
import { Stanza, type Payload } from '../../stanza/stanza.js'
import { withId, withoutIdsBy } from '../../stanza/stanza-id.js'
import type { ArchiveStore, Taken } from '../../storage/archive.js'
import { momentOf } from '../../storage/archive-ids.js'
import { StorageUnavailable } from '../../storage/errors.js'
import { NS } from '../../xml/namespaces.js'
import { parseElement } from '../../xml/parser.js'

/** Milliseconds from its beginning in which a session may send again what its client did not hear of before. */
const sendsAgain = 60_000

export interface KeepingOptions {
  readonly preferences: PreferenceLists
  readonly groupchat: boolean
}

/** A message as it stands in one archive. */
interface Place {
  readonly owner: number
  readonly account: Jid
  readonly other: Jid
  readonly stanza: Stanza
}

/** How a message stands in the archive of its sender. */
interface Sent {
  readonly account: Jid
  readonly id: string
  readonly stanza: Stanza
  readonly text: string
  readonly written: Promise<void>
}

/** Messages that are remembered on their way from the sender's archive to the reader's. */
const remembered = 128

/**
 * What was sent lately, by its payload. Nearly always the last one is asked for, and all others are garbage: few are kept,
 * or each collection of garbage would have to copy them. Large ones are not kept for it.
 */
class Lately {
  readonly #small: (Sent | undefined)[] = Array.from({ length: remembered }, () => undefined)
  #last = 0
  readonly #large = new WeakMap<Payload, Sent>()

  get(payload: Payload): Sent | undefined {
    if (isLarge(payload)) return this.#large.get(payload)
    for (let back = 0; back < remembered; back++) {
      const sent = this.#small[(this.#last - back + remembered) % remembered]
      if (sent === undefined || sent.stanza.payload === payload) return sent
    }
    return undefined
  }

  set(payload: Payload, sent: Sent): void {
    if (isLarge(payload)) this.#large.set(payload, sent)
    else this.#small[(this.#last = (this.#last + 1) % remembered)] = sent
  }
}

function isLarge({ text }: Payload): boolean {
  return text.length > 1024
}

export class Keeping {
  readonly #host: Host
  readonly #store: ArchiveStore
  readonly #options: KeepingOptions
  readonly #kept: Counter
  readonly #repeated: Counter
  /** Ids of what accounts have sent: they are not in the message (XEP-0313 §3.5). */
  readonly #sent = new Lately()
  /** What was there already. */
  readonly #again = new WeakSet<Payload>()
  /** What its sender was told could not be kept. */
  readonly #told = new WeakSet<Payload>()

  constructor(host: Host, options: KeepingOptions) {
    this.#host = host
    this.#store = host.stores.archive
    this.#options = options
    this.#kept = host.counter('archive_kept_total', 'Messages put into archives')
    this.#repeated = host.counter('archive_repeated_total', 'Messages sent again that were archived before')
  }

  /** As `Archive.idOf`. */
  idOf(stanza: Stanza, account: Jid): string | undefined {
    const sent = this.#sent.get(stanza.payload)
    if (sent?.account.equals(account.bare)) return sent.id
    if (!stanza.has('stanza-id', NS.stanzaIds)) return undefined
    const { text, spans } = stanza.payload
    for (const { name, ns, start, end } of spans) {
      if (name !== 'stanza-id' || ns !== NS.stanzaIds) continue
      const { attrs } = parseElement(text.slice(start, end))
      if (readJid(attrs['by'] ?? '')?.equals(account.bare)) return attrs['id']
    }
    return undefined
  }

  /** As `Archive.isRepeated`. */
  isRepeated(stanza: Stanza): boolean {
    return this.#again.has(stanza.payload)
  }

  /** Gate `sent`: into the archive of its sender. */
  sent(stanza: Stanza, { session }: Gates['sent']): Verdict | Promise<Verdict> {
    const { to } = stanza
    const account = session.jid.bare
    // XEP-0359 §3, rule 2: whatever becomes of it, nobody else says what its id is here.
    const own = withoutIdsBy(stanza, account)
    const changed = own === stanza ? undefined : own
    if (!to || session.account === 0 || !isWorthArchiving(own, this.#options.groupchat)) return changed
    const place = { owner: session.account, account, other: to, stanza: own }
    const origin = nameOf(own, own.type === 'groupchat' ? own.from : account)
    const mayBeAgain = this.#host.clock.now() - session.since < sendsAgain
    return once(
      [
        this.#options.preferences.allows(account, to),
        mayBeAgain && this.#recalled(place.owner, origin),
        this.#looked(to),
      ],
      ([allowed]) => {
        if (!allowed) return changed
        const text = own.toStandaloneXml()
        const taken = this.#take(place, text, origin)
        if (taken instanceof StanzaError) return taken
        this.#sent.set(own.payload, { account, id: taken.id, stanza: own, text, written: taken.written })
        session.pledge(this.#pledgeOf(place, taken))
        return changed
      },
    )
  }

  /** Gate `received`: into the archive of its recipient, whose id it carries from here on. */
  received(stanza: Stanza, { bringer }: Gates['received']): Verdict | Promise<Verdict> {
    const { from } = stanza
    const account = stanza.to!.bare
    const own = withoutIdsBy(stanza, account)
    const changed = own === stanza ? undefined : own
    if (from.bare.equals(account)) {
      // XEP-0313 §6.1.1: once in an archive. What one says to oneself is there already.
      const sent = this.#sent.get(stanza.payload)
      return sent ? withId(own, account, sent.id) : changed
    }
    if (!isWorthArchiving(own, this.#options.groupchat)) return changed
    const comesTwice = isOfOccupant(own)
    const named = nameOf(own, comesTwice ? from : from.bare)
    // A message of another server without a name is known only when its server says that it may have been sent before.
    const hasNoName = named === undefined && (comesTwice || from.domain !== this.#host.domain)
    const arrival = hasNoName ? arrivalOf(own) : undefined
    const origin = named ?? arrival?.key.readBigInt64BE(0)
    const isNew = arrival?.resent === false && !comesTwice
    const mayBeAgain = arrival?.resent ?? (this.#again.has(stanza.payload) || own.has('delay', NS.delay))
    return once(
      [this.#ownerOf(account), this.#options.preferences.allows(account, from)],
      ([owner, allowed]) => {
        if (owner === 0 || !allowed) return changed
        return once([mayBeAgain && this.#recalled(owner, origin)], () => {
          const place = { owner, account, other: from, stanza: own }
          const sent = this.#sent.get(own.payload)
          const text = sent?.stanza === own ? sent.text : own.toStandaloneXml()
          const taken = this.#take(place, text, origin, isNew)
          if (taken instanceof StanzaError) return taken
          // In one commit with that of its sender, who has the pledge for it.
          if (sent?.written !== taken.written || isRetraction(own))
            bringer?.pledge(this.#pledgeOf(place, taken))
          const marked = withId(own, account, taken.id)
          if (taken.again) this.#again.add(marked.payload)
          return marked
        })
      },
    )
  }

  /** The row of an account; 0 for guests. */
  #ownerOf(account: Jid): number | Promise<number> {
    const [session] = this.#host.sessions.of(account)
    if (session) return session.account
    const found = this.#host.account(account.local)
    return found instanceof Promise ? found.then((there) => there?.id ?? 0) : (found?.id ?? 0)
  }

  /** Whether a recipient here is known by now: then both archives get the message in one commit. */
  #looked(to: Jid): unknown {
    const { domain, sessions } = this.#host
    if (to.domain !== domain || to.local === '' || sessions.of(to).length > 0) return undefined
    return this.#host.account(to.local)
  }

  #recalled(owner: number, origin: bigint | undefined): Promise<unknown> | undefined {
    return origin === undefined ? undefined : this.#store.recall(owner, origin)
  }

  #take(
    { owner, other, stanza }: Place,
    text: string,
    origin: bigint | undefined,
    isNew = false,
  ): Taken | StanzaError {
    if (!this.#store.available) return unavailable()
    try {
      const taken = this.#store.add(
        {
          owner,
          with: other.bare.toString(),
          resource: other.resource,
          groupchat: stanza.type === 'groupchat',
          stanza: text,
          origin,
          isNew,
        },
        stanza.payload,
      )
      if (taken.again) {
        this.#again.add(stanza.payload)
        this.#repeated.add()
      } else this.#kept.add()
      return taken
    } catch (error) {
      if (error instanceof StorageUnavailable) return unavailable()
      throw error
    }
  }

  /** Resolves when the message is durable, and what it retracts is gone. */
  #pledgeOf({ owner, other, stanza }: Place, { id, written }: Taken): Promise<void> {
    const target = isRetraction(stanza) ? retractedBy(stanza) : undefined
    const pledge =
      target === undefined
        ? written
        : written.then(() => retract(this.#store, owner, other, { stanza, target, at: momentOf(id) }))
    pledge.catch((error: unknown) => this.#failed(stanza, error))
    return pledge
  }

  /** It went on before it could be kept: its sender must know that it is in no archive. */
  #failed(stanza: Stanza, error: unknown): void {
    if (this.#told.has(stanza.payload)) return
    this.#told.add(stanza.payload)
    this.#host.log.warn('archive.failed', { error })
    const { id, from, to } = stanza
    this.#host.send(
      Stanza.of(
        { kind: 'message', type: 'error', id, from: to ?? from.bare, to: from },
        unavailable().toElement(),
      ),
    )
  }
}

/** Goes on with what the parts come to: at once, unless one of them is still to come. */
function once<const T extends readonly unknown[], R>(
  parts: T,
  run: (values: { -readonly [I in keyof T]: Awaited<T[I]> }) => R | Promise<R>,
): R | StanzaError | Promise<R | StanzaError> {
  type Values = { -readonly [I in keyof T]: Awaited<T[I]> }
  if (!parts.some((part) => part instanceof Promise)) return run(parts as unknown as Values)
  return Promise.all(parts)
    .then((values) => run(values as unknown as Values))
    .catch((error: unknown) => {
      if (error instanceof StorageUnavailable) return unavailable()
      throw error
    })
}

/** RFC 6120 §8.3.3.6: the store comes back, so the sender may try again. */
function unavailable(): StanzaError {
  return new StanzaError('internal-server-error', undefined, { type: 'wait' })
}

/** In a room many speak under one bare address: there `sender` is the full one. */
function nameOf(stanza: Stanza, sender: Jid): bigint | undefined {
  return originOf(stanza, sender, stanza.to?.bare)
}

/** XEP-0045 §7.5: a room sends it to each device of an account that is in; in the archive it stands once. */
function isOfOccupant(stanza: Stanza): boolean {
  return stanza.type === 'groupchat' || isPrivateInRoom(stanza)
}
