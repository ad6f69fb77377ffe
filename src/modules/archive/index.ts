/** XEP-0313: Message Archive Management. What people write and get is kept, and every device of theirs can read it. */
import { archiveKey, type Archive } from './api.js'
import { catchesUp, isCatchingUp, noteQuery, reaches } from './catch-up.js'
import { Keeping } from './keeping.js'
import { portableArchive, portablePreferences } from './moving.js'
import { defaults, PreferenceLists } from './preferences.js'
import { endsOf, metadataElement } from '../../archive/metadata.js'
import { answer } from '../../archive/pages.js'
import { queryForm, readQuery } from '../../archive/query.js'
import { Results } from '../../archive/results.js'
import { tombstone } from '../../archive/tombstones.js'
import { choice, duration, flag, number, options, text } from '../../base/schema.js'
import { accountArg, command, CommandError, dayOrMoment } from '../../host/command.js'
import { hook } from '../../host/hooks.js'
import { iq, type Answer as IqAnswer, type IqRequest } from '../../host/iq-table.js'
import { defineModule } from '../../host/module.js'
import { Slot } from '../../session/slot.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import { pageInfo } from '../../stanza/rsm.js'
import type { Archived } from '../../storage/archive.js'
import { firstOf, isArchiveId } from '../../storage/archive-ids.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** The ids at both ends of the page that a session got last. */
const pageBefore = new Slot('archive page', () => ({ edges: new Set<string>() as ReadonlySet<string> }))

export default defineModule({
  name: 'archive',
  summary: 'Keeps what people write and get, for all their devices',
  xeps: [
    { number: 59, version: '1.0' },
    { number: 313, version: '1.1.3', note: 'of accounts' },
    { number: 359, version: '0.7.0' },
    { number: 424, version: '0.4.2', note: 'tombstones in archives' },
    { number: 431, version: '0.2.0' },
    { number: 441, version: '0.2.0' },
  ],
  options: options({
    default: choice(
      defaults,
      'always',
      'What is kept of people who never said what they want: all messages, those with their contacts, or none.',
    ),
    keep: duration('off', 'How long messages are kept, such as "365d". Off: for ever.', {
      off: true,
      min: '1d',
    }),
    page: number(250, 'Messages that a client gets at once.', { min: 1, max: 1000 }),
    groupchat: flag(false, 'Also keep what people get from rooms. Rooms have archives of their own.'),
  }),

  setup(host, settings) {
    const store = host.stores.archive
    const preferences = new PreferenceLists(host, settings.default)
    const keeping = new Keeping(host, { preferences, groupchat: settings.groupchat })
    const queries = host.counter('archive_queries_total', 'Questions to archives that were answered')
    store.keep(host.domain, settings.keep)

    /** What is older is on its way out: nobody sees it any more, whether it is still there or not. */
    const since = () => (settings.keep === Infinity ? 0 : host.clock.now() - settings.keep)

    async function query(request: IqRequest): Promise<Element> {
      const { from, session, query: asked } = request
      const owner = ownerOf(request)
      const read = readQuery(asked, from.bare, 'account')
      const seen = session?.state(pageBefore)
      const limits = { most: settings.page, since: since(), known: seen?.edges }
      const answered = await answer(store, owner, read, limits)
      queries.add()
      if (session) noteQuery(session, read, answered)
      if (seen) seen.edges = edgesOf(answered.messages)
      const results = new Results(from.bare, from, read.queryId, host.log)
      const { messages, complete } = answered
      for (const message of read.isFlipped ? messages.toReversed() : messages) {
        const result = results.of(message)
        if (!session) host.send(result)
        else {
          // A page can be large: only as much of it waits as the client can take.
          await session.ready
          if (!session.deliver(result)) break
        }
      }
      const info = await answered.info
      return el('fin', NS.archive, { complete: complete ? 'true' : undefined }, pageInfo(info))
    }

    const ends = (owner: number) => endsOf(store, owner, since())

    async function metadata(request: IqRequest): Promise<Element> {
      return metadataElement(await ends(ownerOf(request)))
    }

    async function getPreferences(request: IqRequest): Promise<Element> {
      ownerOf(request)
      return preferences.get(request.from.bare)
    }

    async function setPreferences(request: IqRequest): Promise<Element> {
      ownerOf(request)
      return preferences.set(request.from.bare, request.query)
    }

    async function ownerNamed({ local }: Jid): Promise<number | undefined> {
      return (await host.account(local))?.id
    }

    const archive: Archive = {
      idOf: (stanza, account) => keeping.idOf(stanza, account),
      isRepeated: (stanza) => keeping.isRepeated(stanza),
      metadata: async (account) => {
        const owner = await ownerNamed(account)
        return owner === undefined ? {} : ends(owner)
      },
      has: async (account, id) => {
        const owner = await ownerNamed(account)
        return owner !== undefined && (await standing(owner, [id])).has(id)
      },
      tombstone: async (account, id, by) => {
        const owner = await ownerNamed(account)
        if (owner === undefined) return false
        if (!isArchiveId(id)) return false
        const { messages } = await store.page(owner, { ids: [id] }, { from: 'start', count: 1, bytes: 0 })
        for (const { stanza } of messages)
          await store.replace(owner, id, tombstone(stanza, by, host.clock.now()))
        return messages.length > 0
      },
      reached: async (session, messages) => {
        if (!isCatchingUp(session)) return new Set()
        const ids = messages.map((message) => keeping.idOf(message, session.jid) ?? '')
        const there = await standing(session.account, ids)
        return new Set(messages.filter((_, i) => there.has(ids[i]!) && reaches(session, ids[i]!)))
      },
    }

    /** Those of them that are in the archive, and are still shown. */
    async function standing(owner: number, ids: readonly string[]): Promise<ReadonlySet<string>> {
      await store.settled()
      const oldest = firstOf(since())
      const there = await store.find(owner, ids.filter(isArchiveId))
      return new Set(ids.filter((id) => (there.get(id) ?? '') > oldest))
    }

    return {
      accountFeatures: [
        NS.archive,
        `${NS.archive}#extended`,
        `${NS.archive}#groupchat-field`,
        ...(settings.groupchat ? [`${NS.archive}#groupchat-available`] : []),
        NS.stanzaIds,
        NS.fullText,
        NS.retraction,
        `${NS.retraction}#tombstone`,
      ],
      iq: [
        ...own('set', 'query', query),
        ...own('get', 'query', (request) => {
          ownerOf(request)
          return queryForm('account')
        }),
        ...own('get', 'metadata', metadata),
        ...own('get', 'prefs', getPreferences),
        ...own('set', 'prefs', setPreferences),
      ],
      hooks: [
        // The id and the place in the archive are given in one go, after all others have changed the message.
        hook('sent', 'store', ['message'], (stanza, at) => keeping.sent(stanza, at)),
        hook('received', 'store', ['message'], (stanza, at) => keeping.received(stanza, at)),
      ],
      // XEP-0386 §3.2: the archive at the moment of binding, from which the client goes on by itself.
      bound: async (session) => {
        if (session.account === 0) return undefined
        const there = await ends(session.account)
        catchesUp(session, there.end?.id)
        return metadataElement(there)
      },
      events: {
        // So that nobody who is here waits for the database because of them.
        sessionBound: ({ jid, account }) => {
          if (account !== 0) preferences.prepare(jid.bare)
        },
        accountCreated: (account) => preferences.forget(account),
        accountDeleted: (account) => preferences.forget(account),
      },
      commands: [
        command(
          'archive purge',
          'admin',
          'Remove the archived messages of an account',
          options({
            account: accountArg('Whose.'),
            before: text(
              undefined,
              'Only those from before this day or moment: 2030-01-31, 2030-01-31T12:00:00Z.',
            ),
          }),
          async ({ account, before }) => {
            const owner = await ownerNamed(account)
            if (owner === undefined) throw new CommandError(`There is no account ${account.toString()}.`)
            const removed = await store.remove(owner, before === undefined ? undefined : dayOrMoment(before))
            return `Removed ${removed} message${removed === 1 ? '' : 's'} of ${account.toString()}.`
          },
          ({ account, before }) =>
            `all messages in the archive of ${account.toString()}${before === undefined ? '' : ` from before ${before}`}`,
        ),
      ],
      portable: [portablePreferences(host, preferences), portableArchive(host, since)],
      provides: [{ key: archiveKey, value: archive }],
    }
  },
})

/** What was shown a moment ago is there, and the next page begins beside it. */
function edgesOf(messages: readonly Archived[]): ReadonlySet<string> {
  const [first, last] = [messages[0], messages.at(-1)]
  return new Set(first && last ? [first.id, last.id] : [])
}

/** A request that only the owner may make; others get the same answer whether there is such an account or not (§8.1). */
function own(type: 'get' | 'set', name: string, answer: IqAnswer) {
  const refuse = () => {
    throw new StanzaError('forbidden')
  }
  return [iq(type, 'self', name, NS.archive, answer), iq(type, 'account', name, NS.archive, refuse)]
}

/** The archive of who asks. Guests have none. */
function ownerOf({ session }: IqRequest): number {
  if (!session?.account) throw new StanzaError('feature-not-implemented')
  return session.account
}
