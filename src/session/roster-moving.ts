/** Rosters that move between servers (XEP-0227 §4.4, §4.9): contacts and open requests, written and taken over. */
import { rosterItem, readRosterSet, type ItemLimits } from './roster-query.js'
import { defaultRosterLimits, type Roster } from './roster.js'
import { hasFrom, hasTo, type Subscription } from './subscription.js'
import { StanzaError } from '../stanza/errors.js'
import { Jid, JidError } from '../stanza/jid.js'
import { Stanza } from '../stanza/stanza.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { parseElement } from '../xml/parser.js'

/** The items, by address. */
export async function* itemsOf(roster: Roster, owner: Jid): AsyncIterable<Element> {
  const contacts = await roster.load(owner)
  const listed = [...(contacts?.listed ?? [])]
  listed.sort((a, b) => (a.jid.toString() < b.jid.toString() ? -1 : 1))
  for (const contact of listed) yield rosterItem(contact)
}

/** The requests that wait for the owner's answer, by address. */
export async function* requestsOf(roster: Roster, owner: Jid): AsyncIterable<Element> {
  const contacts = await roster.load(owner)
  const texts = (contacts?.requests ?? []).map(({ jid, request }) => [jid.toString(), request] as const)
  for (const [, request] of texts.sort(([a], [b]) => (a < b ? -1 : 1)))
    if (request !== undefined) yield parseElement(request)
}

const subscriptions: ReadonlySet<string> = new Set(['none', 'to', 'from', 'both'])

/** Takes over an item; a contact that is listed already stays as it is. Gives what is wrong with the item. */
export async function takeItem(
  roster: Roster,
  owner: Jid,
  item: Element,
  limits: ItemLimits = defaultRosterLimits,
): Promise<string | undefined> {
  return reasonOf(async () => {
    const wanted = readRosterSet(el('query', NS.roster, undefined, item), owner, limits)
    const { subscription = 'none', ask, approved } = item.attrs as Readonly<Record<string, string>>
    if (wanted.what === 'remove' || !subscriptions.has(subscription))
      throw new StanzaError('bad-request', `the subscription "${subscription}" is none`)
    const { contact: jid, name, groups } = wanted
    await roster.change(
      owner,
      (contacts) => {
        const before = contacts.get(jid)
        if (before.listed) return undefined
        const next = { ...before, name, groups, listed: true, subscription: subscription as Subscription }
        const isAnswered = hasFrom(next)
        return {
          jid,
          push: true,
          contact: {
            ...next,
            // RFC 6121 §A.1: what excludes each other.
            ask: ask === 'subscribe' && !hasTo(next),
            approved: approved === 'true' && !isAnswered && !before.pendingIn,
            pendingIn: before.pendingIn && !isAnswered,
            request: isAnswered ? undefined : before.request,
          },
        }
      },
      (push) => push(),
    )
  })
}

/** Takes over a request, unless the contact asks already or has what it asks for. Gives what is wrong with it. */
export async function takeRequest(
  roster: Roster,
  owner: Jid,
  presence: Element,
  limits = defaultRosterLimits,
): Promise<string | undefined> {
  return reasonOf(async () => {
    const { type, from } = presence.attrs as Readonly<Record<string, string | undefined>>
    if (type !== 'subscribe' || from === undefined)
      throw new StanzaError('bad-request', 'the presence is no request for a subscription')
    const jid = Jid.parse(from).bare
    presence.attrs['from'] = jid.toString()
    presence.attrs['to'] = owner.toString()
    const request = Stanza.parse(presence.toString()).toStandaloneXml()
    if (Buffer.byteLength(request) > limits.requestBytes)
      throw new StanzaError('not-acceptable', 'the request is too long')
    await roster.change(
      owner,
      (contacts) => {
        const before = contacts.get(jid)
        if (before.pendingIn || hasFrom(before)) return undefined
        if (contacts.requests.length >= limits.requests)
          throw new StanzaError('resource-constraint', 'too many requests wait already')
        return { jid, contact: { ...before, pendingIn: true, approved: false, request }, push: false }
      },
      () => undefined,
    )
  })
}

async function reasonOf(take: () => Promise<void>): Promise<string | undefined> {
  try {
    await take()
    return undefined
  } catch (error) {
    if (error instanceof StanzaError) return error.text ?? error.condition
    if (error instanceof JidError) return `an address is none: ${error.message}`
    throw error
  }
}
