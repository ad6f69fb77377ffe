/** Archives that move between servers (XEP-0227 §4.11): each message with its moment and, where it is one of ours, its id. */
import { createHash } from 'node:crypto'
import type { PreferenceLists } from './preferences.js'
import type { Host } from '../../host/host.js'
import { each, type Portable } from '../../host/module.js'
import { formatMoment, parseMoment } from '../../stanza/delay.js'
import { StanzaError } from '../../stanza/errors.js'
import { Jid, JidError } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import type { Account } from '../../storage/accounts.js'
import type { Archived, ArchiveStore, RestoredMessage } from '../../storage/archive.js'
import { firstOf, isArchiveId, momentOf } from '../../storage/archive-ids.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { parseElement, XmlFault } from '../../xml/parser.js'
import { escapeAttribute } from '../../xml/write.js'

/** Read from the store at a time. */
const PAGE = { from: 'start', count: 100, bytes: 1 << 20 } as const
/** The first message of the network is not older: 1999-01-04. */
const EARLIEST = Date.UTC(1999, 0, 4)

/** With whom messages are archived (XEP-0441): what XEP-0227 does not name, and nobody should lose on the way. */
export function portablePreferences(host: Host, preferences: PreferenceLists): Portable {
  const ownerOf = ({ local }: Account) => Jid.of(local, host.domain)
  return {
    name: 'prefs',
    ns: NS.archive,
    depth: 0,
    async *export(account) {
      const said = await preferences.said(ownerOf(account))
      if (said) yield said
    },
    import: (account, elements) => each(elements, (prefs) => preferences.adopt(ownerOf(account), prefs)),
  }
}

/** `since` is the moment before which nothing is kept here. */
export function portableArchive(host: Host, since: () => number): Portable {
  const store = host.stores.archive
  return {
    name: 'archive',
    ns: NS.portableArchive,
    depth: 1,
    export: ({ id }) => resultsOf(store, id, since()),
    async import(account, elements) {
      const owner = Jid.of(account.local, host.domain)
      const found: RestoredMessage[] = []
      const ids = new Ids()
      const unfit = await each(elements, async (element) => {
        const read = messageOf(element, { account, owner, ids, since: since(), now: host.clock.now() })
        if (typeof read === 'string') return read
        found.push(read)
        return undefined
      })
      await store.restore(found)
      return unfit
    },
  }
}

async function* resultsOf(store: ArchiveStore, owner: number, since: number): AsyncIterable<Element> {
  await store.settled()
  let after: string | undefined
  for (;;) {
    const { messages, complete } = await store.page(owner, { start: since, after }, PAGE)
    for (const message of messages) {
      const result = resultOf(message)
      if (result) yield result
    }
    after = messages.at(-1)?.id ?? after
    if (complete || messages.length === 0) return
  }
}

/** What cannot be read any more is left out. */
function resultOf({ id, at, stanza }: Archived): Element | undefined {
  const delay = `<delay xmlns='${NS.delay}' stamp='${formatMoment(at)}'/>`
  const forwarded = `<forwarded xmlns='${NS.forward}'>${delay}${stanza}</forwarded>`
  try {
    return parseElement(`<result xmlns='${NS.archive}' id='${escapeAttribute(id)}'>${forwarded}</result>`)
  } catch (error) {
    if (error instanceof XmlFault) return undefined
    throw error
  }
}

/** Gives an id to what has one that is none of ours: the same every time that the same file is read. */
class Ids {
  #last = { at: 0, count: 0 }

  of(id: string, at: number, text: string): string {
    if (isArchiveId(id) && momentOf(id) === at) return id
    // Servers that write seconds have several messages of one moment: their order is kept.
    this.#last = { at, count: this.#last.at === at ? Math.min(this.#last.count + 1, 0xfff) : 0 }
    const hash = createHash('sha256').update(`${id}\0${text}`).digest('hex')
    const order = this.#last.count.toString(16).padStart(3, '0')
    return `${firstOf(at).slice(0, 13)}-7${order}-a${hash.slice(0, 3)}-${hash.slice(3, 15)}`
  }
}

/** The message of a `<result/>`, or what is wrong with it. */
function messageOf(
  result: Element,
  { account, owner, ids, since, now }: { account: Account; owner: Jid; ids: Ids; since: number; now: number },
): RestoredMessage | string {
  const forwarded = result.child('forwarded', NS.forward)
  const message = forwarded?.child('message', NS.client)
  const at = parseMoment((forwarded?.child('delay', NS.delay)?.attrs['stamp'] as string | undefined) ?? '')
  if (!message || at === undefined) return 'the result holds no message with its moment'
  if (at < EARLIEST || at > now + 86_400_000) return `nothing was said at ${formatMoment(at)}`
  if (at < since) return 'the message is older than messages are kept here'
  try {
    const stanza = Stanza.parse(message.toString())
    const { from, to = owner } = stanza
    const other = from.bare.equals(owner) ? to : from
    const text = stanza.toStandaloneXml()
    return {
      owner: account.id,
      id: ids.of((result.attrs['id'] as string | undefined) ?? '', at, text),
      with: other.bare.toString(),
      resource: other.resource,
      groupchat: stanza.type === 'groupchat',
      stanza: text,
    }
  } catch (error) {
    if (error instanceof JidError || error instanceof StanzaError || error instanceof XmlFault)
      return 'the message has no addresses'
    throw error
  }
}
