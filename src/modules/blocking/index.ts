/** XEP-0191: Blocking Command, with the reports of XEP-0377. Whom an account has blocked, it neither hears nor answers. */
import { blockingKey } from './api.js'
import { Blocklist } from './blocklist.js'
import { Lists } from './lists.js'
import { claimIn, inWords, Reports, type Claim } from './reports.js'
import { jid as address, number, options, rate } from '../../base/schema.js'
import { hook, silenced, type Verdict } from '../../host/hooks.js'
import { iq, type IqRequest } from '../../host/iq-table.js'
import { defineModule, each, hidesFrom, serviceKey, type Portable } from '../../host/module.js'
import type { Session } from '../../session/session.js'
import { Slot } from '../../session/slot.js'
import { StanzaError } from '../../stanza/errors.js'
import { Jid, JidError, readJid } from '../../stanza/jid.js'
import { mediatedInvitation } from '../../stanza/occupants.js'
import { Stanza } from '../../stanza/stanza.js'
import { StorageUnavailable } from '../../storage/errors.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Whether the session has asked for the list: then it hears of changes (XEP-0191 §3.3). */
const watching = Slot.plain('blocking', () => ({ asked: false }))

/** For this module itself, when it is set up anew. */
const listsKey = serviceKey<Lists>('blocking-lists')

export default defineModule({
  name: 'blocking',
  summary: 'Lets people block others, and report spam and abuse',
  xeps: [
    { number: 191, version: '1.3' },
    { number: 377, version: '0.4.1' },
  ],
  options: options({
    list: number(1_000, 'Addresses that one account may block.', { min: 1, max: 10_000 }),
    reports: number(200, 'Reports that are kept for you; a new one takes the place of the oldest.', {
      min: 1,
      max: 1_000,
    }),
    report_rate: rate('20/h', 'Reports that one account may make.', { off: true }),
    reports_to: address(undefined, 'Who gets a message about each report.'),
  }),

  setup(host, settings) {
    const { roster, sessions } = host
    // A reload takes over what is in memory: in between nobody must hear what they are not to hear.
    const lists = host.provided(listsKey) ?? new Lists(host.map<readonly string[]>('blocking'), sessions)
    const reports = new Reports(host, { most: settings.reports, pace: settings.report_rate })
    const reported = host.counter('reports_total', 'Reports of spam and abuse')

    /** XEP-0191 §5: never the own resources; nor the server, which the account could not do without. */
    const isExempt = (account: Jid, other: Jid): boolean =>
      other.domain === host.domain && (other.local === account.local || other.local === '')

    function isBlocked(account: Jid, other: Jid): boolean | Promise<boolean> {
      if (isExempt(account, other)) return false
      const list = lists.of(account)
      return list instanceof Promise ? list.then((known) => known.blocks(other)) : list.blocks(other)
    }

    /** Of those in memory, as the lists of connected accounts are. */
    const isKnownBlocked = (account: Jid, other: Jid): boolean =>
      !isExempt(account, other) && lists.known(account)?.blocks(other) === true

    /**
     * At once when the list is in memory. Nothing passes a list that cannot be read but answers: nobody would hear that
     * they are lost, and a refused message would seem to have arrived.
     */
    function judged(stanza: Stanza, account: Jid, other: Jid, verdict: () => Verdict) {
      const blocked = isBlocked(account, other)
      if (!(blocked instanceof Promise)) return blocked ? verdict() : undefined
      return blocked.then(
        (is) => (is ? verdict() : undefined),
        (error: unknown) => {
          if (!(error instanceof StorageUnavailable)) throw error
          if (stanza.kind === 'presence') return silenced
          if (stanza.type === 'error' || stanza.type === 'result') return undefined
          return new StanzaError('internal-server-error', undefined, { type: 'wait' })
        },
      )
    }

    /** XEP-0191 §3.3: the blocked one sees an account that is not there. */
    function answerToBlocked(stanza: Stanza): Verdict {
      if (stanza.kind === 'presence') return silenced
      if (stanza.kind === 'message' && !isAnswered(stanza)) return silenced
      return new StanzaError('service-unavailable')
    }

    /** Not what an offline account would not answer either, nor an occupant: its room takes an error for a farewell (XEP-0045 §18.1.2). */
    function isAnswered(stanza: Stanza): boolean {
      const { from, to, effectiveType: type } = stanza
      if (type !== 'chat' && type !== 'normal') return false
      if (from.isBare) return true
      return !stanza.has('x', NS.mucUser) && !sessions.of(to!).some((session) => session.hasMet(from))
    }

    async function list({ from, session }: IqRequest): Promise<Element> {
      const known = await lists.of(from)
      if (session) session.state(watching).asked = true
      return el('blocklist', NS.blocking, undefined, ...known.items.map(item))
    }

    async function block({ from, query, session }: IqRequest): Promise<void> {
      requireAccount(session)
      const wanted = itemsOf(query)
      if (wanted.length === 0) throw new StanzaError('bad-request', 'There is nobody to block.')
      const jids = wanted.map(({ jid }) => jid)
      if (jids.some((jid) => isExempt(from, jid) && jid.local !== ''))
        throw new StanzaError('not-allowed', 'You cannot block yourself.')
      await lists.change(
        from,
        (before) => added(before, jids),
        (before, after) => leave(from, after, before),
      )
      push(from, el('block', NS.blocking, undefined, ...jids.map(item)))
      for (const { claim } of wanted) if (claim) await accept(from, claim)
    }

    function added(before: Blocklist, jids: readonly Jid[]): Blocklist {
      const after = before.with(jids)
      if (after.size > before.size && after.size > settings.list) {
        host.hits.add('block_list')
        throw new StanzaError('resource-constraint', 'The block list is full.', { type: 'cancel' })
      }
      return after
    }

    async function unblock({ from, query, session }: IqRequest): Promise<void> {
      requireAccount(session)
      const jids = itemsOf(query).map(({ jid }) => jid)
      // XEP-0191 §3.5: nobody named is everybody.
      const next = (before: Blocklist) => (jids.length === 0 ? Blocklist.empty : before.without(jids))
      const { before, after } = await lists.change(from, next, () => undefined)
      appear(from, before, after)
      push(from, el('unblock', NS.blocking, undefined, ...jids.map(item)))
    }

    /** XEP-0191 §3.3: unavailable to whom `list` blocks and `before` did not, as far as they may see presence. */
    function leave(account: Jid, list: Blocklist, before: Blocklist): void {
      const isNew = (jid: Jid) => list.blocks(jid) && !before.blocks(jid) && !isExempt(account, jid)
      const subscribers = audience(account, list, isNew)
      for (const session of sessions.of(account)) {
        const told = new Set(session.presence ? subscribers : [])
        for (const [key, to] of session.directed ?? []) {
          if (!isNew(to)) continue
          session.directed?.delete(key)
          told.add(to)
        }
        for (const to of told)
          host.send(Stanza.of({ kind: 'presence', type: 'unavailable', from: session.jid, to }))
      }
    }

    /** XEP-0191 §3.4: the present presence to whom `before` blocked and `list` does not; theirs is asked for. */
    function appear(account: Jid, before: Blocklist, list: Blocklist): void {
      const isFree = (jid: Jid) => before.blocks(jid) && !list.blocks(jid)
      const available = sessions.available(account)
      for (const to of audience(account, before, isFree))
        for (const { presence } of available) if (presence) host.send(presence.readdressed({ to }))
      if (available.length === 0) return
      for (const to of roster.cached(account)?.subscriptions.filter(isFree) ?? [])
        host.send(
          Stanza.of({ kind: 'presence', type: 'probe', id: host.random.id(), from: account.bare, to }),
        )
    }

    /** Subscribers that `which` concerns, and resources of subscribers that the list names. */
    function audience(account: Jid, { items }: Blocklist, which: (jid: Jid) => boolean): readonly Jid[] {
      const contacts = roster.cached(account)
      if (!contacts) return []
      const resources = items.filter((jid) => !jid.isBare && contacts.shares(jid) && which(jid))
      return [...contacts.subscribers.filter(which), ...resources.filter((jid) => !which(jid.bare))]
    }

    /** XEP-0191 §3.3: to all resources that have asked for the list. */
    function push(account: Jid, change: Element): void {
      for (const session of sessions.of(account)) {
        if (!session.peek(watching)?.asked) continue
        const envelope = { kind: 'iq', type: 'set', from: account.bare, to: session.jid } as const
        session.deliver(Stanza.of({ ...envelope, id: host.random.id() }, change))
      }
    }

    /** XEP-0377 §6: the block stands, whatever becomes of the report. */
    async function accept(by: Jid, claim: Claim): Promise<void> {
      const { reason, jid: contact } = claim
      const user = by.bare.toString()
      try {
        if (!(await reports.add(by, claim))) return
      } catch (error) {
        host.log.error('report.failed', { user, contact, reason, error })
        return
      }
      reported.add()
      host.log.warn('report.received', { user, contact, reason })
      const { reports_to: admin } = settings
      if (admin === undefined) return
      const envelope = { kind: 'message', from: host.address, id: host.random.id() } as const
      const body = el('body', undefined, undefined, inWords({ by: user, ...claim }))
      host.send(Stanza.of({ ...envelope, to: Jid.parse(admin) }, body))
    }

    /** XEP-0227 knows only privacy lists; others write block lists like this, too. */
    const portable: Portable = {
      name: 'blocklist',
      ns: NS.blocking,
      depth: 1,
      async *export({ local }) {
        const list = await lists.of(Jid.of(local, host.domain))
        for (const jid of list.items) yield el('item', NS.blocking, { jid: jid.toString() })
      },
      import: ({ local }, elements) =>
        each(elements, async (item) => {
          const account = Jid.of(local, host.domain)
          const other = readJid((item.attrs['jid'] as string | undefined) ?? '')
          if (!other) return 'the address of the item is none'
          if ((await lists.of(account)).size >= settings.list) return 'the block list is full'
          await lists.change(
            account,
            (list) => list.with([other]),
            () => undefined,
          )
          return undefined
        }),
    }

    return {
      portable: [portable],
      features: [NS.blocking, NS.reporting],
      iq: [
        iq('get', 'self', 'blocklist', NS.blocking, list),
        iq('set', 'self', 'block', NS.blocking, block),
        iq('set', 'self', 'unblock', NS.blocking, unblock),
      ],
      hooks: [
        hook('sent', 'guard', ['message', 'presence', 'iq'], (stanza, { session }) =>
          stanza.to ? judged(stanza, session.jid, stanza.to, youBlocked) : undefined,
        ),
        hook('received', 'guard', ['message', 'presence', 'iq'], (stanza) =>
          judged(stanza, stanza.to!, stanza.from, () => answerToBlocked(stanza)),
        ),
        // XEP-0045 §7.8.2: who is blocked gets through by no room either, and does not learn that it is.
        hook('received', 'guard', ['message'], (stanza) => {
          const inviter = inviterIn(stanza)
          return inviter && judged(stanza, stanza.to!, inviter, () => silenced)
        }),
        // What was kept or held for the account before it blocked the sender; errors of such an address are our own.
        hook('outbound', 'guard', ['message', 'presence', 'iq'], ({ from, type }, { session }) =>
          type !== 'error' && isKnownBlocked(session.jid, from) ? silenced : undefined,
        ),
      ],
      events: {
        sessionBound: ({ jid, account }) => lists.opened(jid, account === 0),
        sessionRestored: ({ jid, account }) => lists.opened(jid, account === 0),
        sessionGone: ({ jid }) => lists.closed(jid),
        accountDeleted: (account) => lists.forget(account),
      },
      commands: reports.commands,
      provides: [
        { key: blockingKey, value: { isBlocked } },
        { key: hidesFrom, value: isKnownBlocked },
        { key: listsKey, value: lists },
      ],
    }
  },
})

/** XEP-0191 §3.3: what one says oneself to whom one has blocked. */
function youBlocked(): StanzaError {
  const application = el('blocked', NS.blockingErrors)
  return new StanzaError('not-acceptable', 'You have blocked this address.', { type: 'cancel', application })
}

/** Who asked the room for the invitation. */
function inviterIn(stanza: Stanza): Jid | undefined {
  const inviter = stanza.has('x', NS.mucUser) ? mediatedInvitation(stanza)?.attrs['from'] : undefined
  return inviter === undefined ? undefined : readJid(inviter)
}

function item(jid: Jid): Element {
  return el('item', undefined, { jid: jid.toString() })
}

/** Whom a request names, each with what is reported of it. */
function itemsOf(query: Element): readonly { readonly jid: Jid; readonly claim: Claim | undefined }[] {
  return query.childrenOf('item', NS.blocking).map((one) => {
    const text = one.attrs['jid']
    if (!text) throw new StanzaError('bad-request', 'An item names an address.')
    try {
      const jid = Jid.parse(text)
      return { jid, claim: claimIn(one, jid) }
    } catch (error) {
      if (error instanceof JidError) throw new StanzaError('jid-malformed', error.message)
      throw error
    }
  })
}

/** What guests leave would never be deleted. */
function requireAccount(session: Session | undefined): void {
  if (!session?.account) throw new StanzaError('registration-required', 'Guests have no account.')
}
