/** XEP-0215: External Service Discovery. Where clients find STUN and TURN servers for calls, and what lets them in. */
import { createHmac } from 'node:crypto'
import { choice, duration, number, options, required, secret, table, text } from '../base/schema.js'
import { iq, type IqRequest } from '../host/iq-table.js'
import { defineModule, serviceKey } from '../host/module.js'
import type { Session } from '../session/session.js'
import { Slot } from '../session/slot.js'
import { formatMoment } from '../stanza/delay.js'
import { StanzaError } from '../stanza/errors.js'
import type { Jid } from '../stanza/jid.js'
import { Stanza } from '../stanza/stanza.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

interface Service {
  readonly type: string
  readonly host: string
  readonly port: number | undefined
  readonly transport: 'udp' | 'tcp'
  readonly name: string | undefined
  readonly secret: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
}

/** Types that one session may have asked for and hears changes of. */
const mostTypes = 10
const longestType = 64

/** What a session has been told: by type, or of all (`''`), the services by their keys with what says whether they changed. */
type Told = Map<string, ReadonlyMap<string, string>>
const told = new Slot<Told>('external-services', () => new Map())

/** Of the set-up that holds: tells those who asked what has changed for them. */
const update = serviceKey<() => void>('external-services.update')

const service = options(
  {
    type: text(
      required,
      'What it is: "stun", "turn", or these over TLS, "stuns" and "turns"; others are passed on as well.',
      {
        max: 64,
        pattern: /^[A-Za-z_][A-Za-z0-9._-]*$/,
        expects: 'a word such as "turn"',
      },
    ),
    host: text(required, 'Its name or address, as clients reach it.', {
      max: 255,
      pattern: /^[A-Za-z0-9.:_-]+$/,
      expects: 'a name or an address such as "turn.example.org"',
    }),
    port: number(undefined, 'Its port. Default: 3478, and 5349 over TLS, for STUN and TURN.', {
      min: 1,
      max: 65_535,
    }),
    transport: choice(['udp', 'tcp'], 'udp', 'How clients speak to it.'),
    name: text(undefined, 'What clients may call it.', { max: 200 }),
    secret: secret(
      undefined,
      'Shared with the TURN server (static-auth-secret of coturn): each client gets a name and a password for a while.',
    ),
    username: text(undefined, 'The same name for everybody, where there is no shared secret.', { max: 255 }),
    password: secret(undefined, 'The password that goes with it.'),
  },
  'A service outside XMPP.',
)

export default defineModule({
  name: 'external-services',
  summary: 'Tells clients where STUN and TURN servers are, with credentials for a while',
  xeps: [{ number: 215, version: '1.0.0' }],
  options: options({
    last: duration('12h', 'How long credentials from a shared secret can be used.', {
      min: '5min',
      max: '30d',
    }),
    service: table(
      service,
      'The services, under names of your choice: [modules.external-services.service.turn].',
    ),
  }),

  setup(host, { last, service }) {
    const services: readonly Service[] = [...service.values()]

    /** §3.1, §3.2: also for guests, who make calls too; who is elsewhere has a server of their own. */
    function list({ query, session, from }: IqRequest): Element {
      if (!session) throw new StanzaError('forbidden')
      const { type } = query.attrs
      const found = services.filter((one) => type === undefined || one.type === type)
      remember(session.state(told), type ?? '', signs(found))
      return el('services', NS.externalServices, { type }, ...found.map((one) => serviceElement(one, from)))
    }

    function remember(types: Told, type: string, found: ReadonlyMap<string, string>): void {
      if (type.length > longestType || (types.size >= mostTypes && !types.has(type)))
        host.hits.add('external_services')
      else types.set(type, found)
    }

    /** §3.3: for services that a client knows from elsewhere. */
    function credentials({ query, session, from }: IqRequest): Element {
      if (!session) throw new StanzaError('forbidden')
      const [asked, ...more] = query.childrenOf('service', NS.externalServices)
      const {
        host: wanted,
        type,
        port,
      } = (asked?.attrs ?? {}) as Readonly<Record<string, string | undefined>>
      if (!wanted || !type || more.length > 0)
        throw new StanzaError('bad-request', 'Name one service by its host and type.')
      const found = services.filter(
        (one) =>
          one.type === type &&
          one.host.toLowerCase() === wanted.toLowerCase() &&
          (port === undefined || String(portOf(one)) === port) &&
          (one.secret !== undefined || one.username !== undefined),
      )
      if (found.length === 0) throw new StanzaError('item-not-found')
      return el(
        'credentials',
        NS.externalServices,
        undefined,
        ...found.map((one) => serviceElement(one, from)),
      )
    }

    function serviceElement(one: Service, client: Jid, action?: string): Element {
      const { type, host: place, transport, name } = one
      const attrs = { action, host: place, name, port: portOf(one), transport, type }
      return el('service', undefined, { ...attrs, ...credentialsFor(one, client) })
    }

    /** The time-limited credentials that TURN servers know: the end of their time, and a code of it with the shared secret. */
    function credentialsFor({ secret, username, password }: Service, client: Jid) {
      if (secret === undefined)
        return username === undefined ? {} : { username, password, restricted: 'true' }
      const until = Math.floor((host.clock.now() + last) / 1000)
      // Who it is stays between us; the same person is the same for who counts there.
      const person = createHmac('sha256', secret).update(client.bare.toString()).digest('hex').slice(0, 16)
      const name = `${until}:${person}`
      const code = createHmac('sha1', secret).update(name).digest('base64')
      return { username: name, password: code, expires: formatMoment(until * 1000), restricted: 'true' }
    }

    /** §3.2: to those who asked, what has changed since. */
    function push(): void {
      for (const session of host.sessions.all()) {
        const all = session.state(told)
        for (const [type, before] of all) {
          const now = services.filter((one) => type === '' || one.type === type)
          all.set(type, signs(now))
          pushTo(session, type, changed(before, now))
        }
      }
    }

    function changed(before: ReadonlyMap<string, string>, now: readonly Service[]) {
      const present = signs(now)
      const added = now.filter((one) => !before.has(keyOf(one)))
      const modified = now.filter((one) => (before.get(keyOf(one)) ?? signOf(one)) !== signOf(one))
      const deleted = [...before.keys()].filter((key) => !present.has(key))
      return { added, modified, deleted }
    }

    function pushTo(
      session: Session,
      type: string,
      { added, modified, deleted }: ReturnType<typeof changed>,
    ): void {
      const elements = [
        ...added.map((one) => serviceElement(one, session.jid, 'add')),
        ...modified.map((one) => serviceElement(one, session.jid, 'modify')),
        ...deleted.map((key) => {
          const [type, host, port, transport] = JSON.parse(key) as [string, string, number | null, string]
          return el('service', undefined, {
            action: 'delete',
            host,
            port: port ?? undefined,
            transport,
            type,
          })
        }),
      ]
      if (elements.length === 0) return
      const envelope = {
        kind: 'iq',
        type: 'set',
        id: host.random.id(),
        from: host.address,
        to: session.jid,
      } as const
      const payload = el(
        'services',
        NS.externalServices,
        { type: type === '' ? undefined : type },
        ...elements,
      )
      session.deliver(Stanza.of(envelope, payload))
    }

    const isOffered = services.length > 0
    return {
      ...(isOffered ? { features: [NS.externalServices] } : {}),
      iq: isOffered
        ? [
            iq('get', 'host', 'services', NS.externalServices, list),
            iq('get', 'host', 'credentials', NS.externalServices, credentials),
          ]
        : [],
      provides: [{ key: update, value: push }],
      // After a reload this is told to go when the next one holds already.
      stop: () => {
        const next = host.provided(update)
        if (next !== push) next?.()
      },
    }
  },
})

/** XEP-0215 §3: what tells one service from another. */
function keyOf(one: Service): string {
  return JSON.stringify([one.type, one.host, portOf(one) ?? null, one.transport])
}

/** The same as long as nothing about it has changed; says nothing of its secrets. */
function signOf({ name, secret, username, password }: Service): string {
  return createHmac('sha256', secret ?? '')
    .update(JSON.stringify([name, username, password]))
    .digest('base64')
}

const signs = (services: readonly Service[]) => new Map(services.map((one) => [keyOf(one), signOf(one)]))

const usualPorts: Readonly<Record<string, number>> = { stun: 3478, turn: 3478, stuns: 5349, turns: 5349 }

function portOf({ type, port }: Service): number | undefined {
  return port ?? usualPorts[type]
}
