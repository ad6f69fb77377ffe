/** XEP-0160: messages for an account that no resource can take are kept, and delivered in order when it returns. */
import type { Timer } from '../base/clock.js'
import { archiveKey } from './archive/api.js'
import { options } from '../base/schema.js'
import { handled, hook, unkept } from '../host/hooks.js'
import { defineModule, each, type Portable } from '../host/module.js'
import type { Session } from '../session/session.js'
import { Slot } from '../session/slot.js'
import { arrivalOf, type Arrival } from '../stanza/arrival.js'
import { hasContent } from '../stanza/content.js'
import { delayed, parseMoment } from '../stanza/delay.js'
import { StanzaError } from '../stanza/errors.js'
import { JidError } from '../stanza/jid.js'
import { Stanza } from '../stanza/stanza.js'
import { StorageUnavailable } from '../storage/errors.js'
import type { OfflineMessage, OfflineStore } from '../storage/offline.js'
import type { Account } from '../storage/accounts.js'
import type { Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { parseElement, XmlFault } from '../xml/parser.js'

/** Messages read from the store at a time while they are being delivered. */
const PAGE = 100
/** Milliseconds that another device of the account waits for the first one to acknowledge what it got. */
const patience = 10_000

/** Whether the session could take messages at its last presence. */
const taking = Slot.plain('offline', () => ({ messages: false }))

export default defineModule({
  name: 'offline',
  summary: 'Keeps messages for accounts that are not connected',
  xeps: [
    { number: 160, version: '1.0.1' },
    { number: 203, version: '2.0' },
    { number: 334, version: '1.0.0', note: 'with the archive and carbons' },
  ],
  options: options({}),

  setup(host) {
    const store = host.stores.offline
    const kept = host.counter('offline_kept_total', 'Messages kept for accounts that were not connected')
    const repeated = host.counter('offline_repeated_total', 'Messages sent again that had been kept before')
    /** Stores under way, by account: a delivery waits for them, so that none is left behind. */
    const storing = new Map<string, Set<Promise<unknown>>>()
    /** The last delivery begun, by account: one at a time, so that no message is delivered twice. */
    const delivering = new Map<number, Promise<void>>()
    /** Sessions that have messages to acknowledge, and who waits for their ends. */
    const ends = new Map<Session, () => void>()

    async function keep(stanza: Stanza): Promise<typeof handled | StanzaError> {
      const { local } = stanza.to!
      // Under way from here on, and not only when the account is known.
      const stored = append(local, stanza)
      const others = storing.get(local) ?? new Set()
      storing.set(local, others.add(stored))
      try {
        // XEP-0160 §2: told, not silent, when there is no more room.
        const outcome = await stored
        if (outcome === 'full') host.hits.add('offline_messages')
        if (outcome === 'full' || outcome === 'nobody') return new StanzaError('service-unavailable')
        if (outcome === 'known') repeated.add()
        else kept.add()
        return handled
      } catch (error) {
        host.log.warn('offline.failed', { error })
        return new StanzaError('internal-server-error', undefined, { type: 'wait' })
      } finally {
        others.delete(stored)
        if (others.size === 0) storing.delete(local)
      }
    }

    async function append(local: string, stanza: Stanza): Promise<'stored' | 'full' | 'known' | 'nobody'> {
      const account = await host.account(local)
      if (!account) return 'nobody'
      return store.append(account.id, stanza.toStandaloneXml(), host.clock.now(), arrivalAt(stanza))
    }

    /** By what it is recognised when it comes again: its id in the archive, which is the same then, or what it says. */
    function arrivalAt(stanza: Stanza): Arrival | undefined {
      const archive = host.provided(archiveKey)
      const id = archive?.idOf(stanza, stanza.to!.bare)
      if (archive && id !== undefined && stanza.has('origin-id', NS.stanzaIds))
        return { key: Buffer.from(id.replaceAll('-', ''), 'hex'), resent: archive.isRepeated(stanza) }
      // Another server that did not hear of its arrival sends a message again.
      return stanza.from.domain === host.domain ? undefined : arrivalOf(stanza)
    }

    /** XEP-0160 §2: when a resource becomes able to take messages, by its first presence or a later priority. */
    function presenceChanged({ session }: { session: Session }): void | Promise<void> {
      const state = session.state(taking)
      const begins = session.takesMessages && !state.messages
      state.messages = session.takesMessages
      if (!begins || session.account === 0) return
      session.hold()
      const before = delivering.get(session.account)
      let written: (() => void) | undefined
      const isWritten = new Promise<void>((resolve) => (written = resolve))
      const turn = (before ?? Promise.resolve())
        .then(() => deliver(session, written))
        .finally(() => {
          if (delivering.get(session.account) === turn) delivering.delete(session.account)
        })
      delivering.set(session.account, turn)
      // Its own stream goes on when all is written, or at once when others come first: they may wait for clients.
      if (!before) return isWritten
    }

    /** What arrives meanwhile is held behind, so that the order of sending is the order of delivery. */
    async function deliver(session: Session, written?: () => void): Promise<void> {
      // With XEP-0198 a message stays stored until its client says that it has it.
      const receipt = session.acks ? new Receipt(session.account, store) : undefined
      let last = 0
      try {
        const pending = storing.get(session.jid.local)
        if (pending) await Promise.allSettled(pending)
        for (let more = true; more && session.live;) {
          const page = await store.read(session.account, last, PAGE)
          const messages = page.map(({ stanza, at }) => readBack(stanza, at))
          const reached = await reachedBy(session, messages)
          for (const [i, { id }] of page.entries()) {
            const message = messages[i]
            const isMissed = message && !reached.has(message)
            if (isMissed && !session.deliverNow(message, undefined, { acknowledged: receipt?.of(id) })) break
            last = id
            await session.ready
          }
          // Cut off while it was slow: what it may not have read stays, rather twice than never.
          if (!session.live) break
          if (page.length > 0 && !receipt) await store.removeThrough(session.account, last)
          more = page.length === PAGE
        }
      } catch (error) {
        host.log.warn('offline.delivery.failed', { user: session.jid.bare.toString(), error })
      } finally {
        session.release()
        written?.()
      }
      if (receipt && last > 0) await acknowledged(receipt, session, last)
    }

    /** Waits a while for the client to acknowledge what it got: meanwhile nobody else of the account gets it. */
    async function acknowledged(receipt: Receipt, session: Session, last: number): Promise<void> {
      const gone = new Promise<void>((resolve) => {
        if (session.live) ends.set(session, resolve)
        else resolve()
      })
      let late: Timer | undefined
      const timeout = new Promise<void>((resolve) => {
        late = host.clock.after(patience, resolve)
      })
      await Promise.race([receipt.complete(), gone, timeout])
      late?.cancel()
      ends.delete(session)
      try {
        if (receipt.isComplete) return await store.removeThrough(session.account, last)
        await receipt.removed
      } catch (error) {
        host.log.warn('offline.delivery.failed', { user: session.jid.bare.toString(), error })
      }
      const other = host.sessions.available(session.jid).find((one) => one.takesMessages)
      if (session.live || !other) return
      other.hold()
      await deliver(other)
    }

    /** Those that the client gets from the archive anyway (XEP-0313 §6.1.1). Rather twice than never. */
    async function reachedBy(session: Session, messages: readonly (Stanza | undefined)[]) {
      try {
        const known = messages.filter((message) => message !== undefined)
        return (await host.provided(archiveKey)?.reached(session, known)) ?? new Set<Stanza>()
      } catch (error) {
        if (!(error instanceof StorageUnavailable)) throw error
        return new Set<Stanza>()
      }
    }

    /** A stanza that cannot be read any more costs a log line, never the delivery of the others. */
    function readBack(text: string, at: number): Stanza | undefined {
      try {
        // XEP-0203 §4: the server's own mark beside any that the sender put there.
        return delayed(Stanza.parse(text), host.address, at, 'Offline storage')
      } catch (error) {
        host.log.error('offline.unreadable', { error })
        return undefined
      }
    }

    /** XEP-0227 §4.5: with the marks of when they came, by which those that are here already are known again. */
    const portable: Portable = {
      name: 'offline-messages',
      ns: NS.portable,
      depth: 1,
      async *export(account) {
        for await (const kept of keptBy(account)) {
          const message = exportedOf(kept)
          if (message) yield message
        }
      },
      async import(account, elements) {
        const there = await keptAt(account, new Set(elements.map(stampOf)))
        return each(elements, async (element) => {
          const text = element.toString()
          if (there.has(text)) return undefined
          const stanza = readStanza(text)
          if (stanza?.kind !== 'message') return 'the message is none'
          const outcome = await store.append(
            account.id,
            stanza.toStandaloneXml(),
            stampOf(element) ?? host.clock.now(),
          )
          return outcome === 'full' ? 'the account has no room for more messages' : undefined
        })
      },
    }

    /** When the server that kept it says that it came. */
    function stampOf(message: Element): number | undefined {
      const stamps = message.childrenOf('delay', NS.delay)
      const own = stamps.find(({ attrs }) => attrs['from'] === host.domain) ?? stamps.at(-1)
      return parseMoment((own?.attrs['stamp'] as string | undefined) ?? '')
    }

    function readStanza(text: string): Stanza | undefined {
      try {
        return Stanza.parse(text)
      } catch (error) {
        if (error instanceof StanzaError || error instanceof XmlFault || error instanceof JidError)
          return undefined
        throw error
      }
    }

    /** What is kept since one of these moments, as it is exported. */
    async function keptAt(
      account: Account,
      moments: ReadonlySet<number | undefined>,
    ): Promise<ReadonlySet<string>> {
      const texts = new Set<string>()
      for await (const kept of keptBy(account))
        if (moments.has(kept.at)) texts.add(exportedOf(kept)?.toString() ?? '')
      return texts
    }

    function exportedOf({ stanza, at }: OfflineMessage): Element | undefined {
      const message = readBack(stanza, at)
      return message && parseElement(message.toStandaloneXml())
    }

    async function* keptBy(account: Account): AsyncIterable<OfflineMessage> {
      let last = 0
      for (;;) {
        const page = await store.read(account.id, last, PAGE)
        yield* page
        last = page.at(-1)?.id ?? last
        if (page.length < PAGE) return
      }
    }

    return {
      portable: [portable],
      features: ['msgoffline'],
      hooks: [
        hook('undelivered', 'store', ['message'], (stanza) =>
          isWorthKeeping(stanza) ? keep(stanza) : unkept,
        ),
      ],
      events: { presenceChanged, sessionGone: (session) => ends.get(session)?.() },
    }
  },
})

/** What of an account's kept messages its client has acknowledged; these are removed. */
class Receipt {
  /** Resolves when those that were acknowledged are removed. Rejects with StorageUnavailable; then they come again. */
  removed: Promise<void> = Promise.resolve()
  #completed: (() => void) | undefined = undefined
  #open = 0
  /** The id up to which they are acknowledged. */
  #through = 0
  #removing = 0

  constructor(
    readonly account: number,
    readonly store: OfflineStore,
  ) {}

  /** All that were handed out are acknowledged. */
  get isComplete(): boolean {
    return this.#open === 0
  }

  complete(): Promise<void> {
    return this.isComplete ? Promise.resolve() : new Promise((resolve) => (this.#completed = resolve))
  }

  /** To be called when the message is acknowledged; messages are in their order. */
  of(id: number): () => void {
    this.#open++
    return () => {
      this.#open--
      this.#through = id
      if (this.#open === 0) this.#completed?.()
      // Several at once, as they are acknowledged, are removed together.
      this.removed = this.removed.then(() => this.#remove())
      this.removed.catch(() => undefined)
    }
  }

  async #remove(): Promise<void> {
    if (this.#removing === this.#through) return
    this.#removing = this.#through
    await this.store.removeThrough(this.account, this.#through)
  }
}

/** XEP-0160 §3, XEP-0334 §4: what a person wrote, or what its sender asks to keep; no headlines, errors or groupchat. */
function isWorthKeeping(stanza: Stanza): boolean {
  const type = stanza.effectiveType
  if (type !== 'chat' && type !== 'normal') return false
  if (stanza.has('no-store', NS.hints)) return false
  if (stanza.has('store', NS.hints)) return true
  return hasContent(stanza.payload.spans)
}
