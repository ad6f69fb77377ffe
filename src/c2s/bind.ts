/** Resource binding (RFC 6120 §7): the connection becomes a session with a full JID. */
import type { Client } from './client.js'
import type { Next, StreamFeature } from '../host/module.js'
import type { Session } from '../session/session.js'
import { StanzaError } from '../stanza/errors.js'
import { Jid, JidError, prepareResource } from '../stanza/jid.js'
import { StreamError } from '../stream/errors.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { serialise } from '../xml/write.js'

/** RFC 6120 §7.7.3: five to ten. */
const mostRetries = 10

export const binding: StreamFeature<Client> = {
  ns: NS.bind,
  reads: [],
  iqPayload: NS.bind,
  fits: ({ authenticated, bound }) => authenticated && !bound,
  offer: () => el('bind', NS.bind),
  async receive(iq, client): Promise<Next> {
    const bind = iq.child('bind', NS.bind)
    const id = iq.attrs['id']
    if (iq.attrs['type'] !== 'set' || !bind || !id) throw new StanzaError('bad-request')
    const session = await bound(client, bind).catch((error: unknown) => refused(error, client))
    // Whoever left meanwhile is told nothing, and nothing of it stays.
    if (!session) return 'stay'
    const result = el(
      'iq',
      undefined,
      { type: 'result', id },
      el('bind', NS.bind, {}, el('jid', NS.bind, {}, session.jid.toString())),
    )
    client.stream.send(serialise(result, 'jabber:client'))
    return 'ready'
  },
}

/** RFC 6120 §7.7.3: some more tries with another resource, then the stream ends. */
function refused(error: unknown, client: Client): never {
  if (error instanceof StanzaError && ++client.refusals > mostRetries)
    throw new StreamError('policy-violation', 'Too many refused bindings')
  throw error
}

async function bound(client: Client, bind: Element): Promise<Session | undefined> {
  return bindSession(client, wanted(bind) ?? client.parts.random.id())
}

/**
 * Binds `resource`, which is prepared, for the account that has authenticated. With Bind 2, `enable` runs when the session
 * is the client's and nothing has reached it. Undefined when the client has left meanwhile.
 * @throws StanzaError `not-allowed` when there is a session, `resource-constraint` when the account has too many;
 *   StreamError when the account is gone; StorageUnavailable
 */
export async function bindSession(
  client: Client,
  resource: string,
  enable?: (session: Session) => void,
): Promise<Session | undefined> {
  const { host, local, parts } = client
  // RFC 6120 §7.1: once, and only after authentication.
  if (local === undefined || client.session) throw new StanzaError('not-allowed')
  await requireAccount(client)
  const jid = Jid.of(local, host.domain, resource)
  const session = host.session(jid, client.account, client.stream, client.mechanism)
  session.agent = client.agent
  session.bind2 = enable !== undefined
  await parts.router.sessionBinding(session)
  // It may have been removed meanwhile, when there was no session to end yet.
  await requireAccount(client)
  // From the look for others to the registration nothing waits: two who bind at once cannot both have the resource.
  if (!client.stream.open) return undefined
  makeRoom(client, session)
  client.session = session
  enable?.(session)
  await parts.router.sessionBound(session)
  parts.log.debug('c2s.bound', {
    user: jid.bare.toString(),
    host: host.domain,
    ip: client.stream.transport.remote,
  })
  return session
}

/**
 * Guests have no account; all others must still have the one that has authenticated, not a new one of that name.
 * @throws StreamError when it was removed or disabled since
 */
export async function requireAccount({ host, local = '', account }: Client): Promise<void> {
  const found = await host.account(local)
  if ((found?.id ?? 0) !== account || found?.disabled !== undefined)
    throw new StreamError('not-authorized', 'The account is gone or disabled')
}

/** The resource that the client asks for, prepared; undefined when it leaves the choice to us (§7.6, §7.7). */
function wanted(bind: Element): string | undefined {
  const asked = bind.child('resource', NS.bind)?.text
  if (asked === undefined || asked === '') return undefined
  try {
    return prepareResource(asked)
  } catch (error) {
    if (error instanceof JidError) throw new StanzaError('bad-request', error.message)
    throw error
  }
}

/**
 * RFC 6120 §7.7.2.2: of two with one resource the older ends with `conflict`; XEP-0386 §3.2: so does any earlier session
 * of the same installation. RFC 6120 §7.6.2.1: beyond the limit the new one is refused, unless one is there that waits to
 * be resumed; it may take the place of one that is there.
 */
function makeRoom(client: Client, session: Session): void {
  const { host } = client
  const { jid, agent, bind2 } = session
  const isOlder = (one: Session) =>
    one.jid.equals(jid) || (bind2 && agent?.id !== undefined && one.agent?.id === agent.id)
  const older = host.sessions.of(jid).filter(isOlder)
  for (const one of older)
    one.close(new StreamError('conflict', 'Replaced by a new connection of the same client'))
  const others = host.sessions.of(jid)
  if (older.length > 0 || others.length < host.sessionsPerAccount()) return
  client.parts.hits.add('sessions_per_account')
  // A client that did not come back to its session is more likely to be this one than another.
  const parked = others.find(({ isParked }) => isParked)
  if (!parked) throw new StanzaError('resource-constraint', 'Too many sessions of this account')
  parked.close()
}
