/** XEP-0357: devices that are away are woken through the app servers of their makers, as the account's settings allow. */
import { pushKey } from './api.js'
import { Notifier } from './notifier.js'
import { Registrations, type Registration } from './registrations.js'
import { Settings } from './settings.js'
import { worthOf, type Worth } from './worth.js'
import { duration, flag, number, options, text } from '../../base/schema.js'
import { accountArg, command } from '../../host/command.js'
import { hook } from '../../host/hooks.js'
import type { Host } from '../../host/host.js'
import { iq, type IqRequest } from '../../host/iq-table.js'
import { defineModule, type Contribution } from '../../host/module.js'
import type { Session } from '../../session/session.js'
import { StanzaError } from '../../stanza/errors.js'
import { formTypeOf } from '../../stanza/forms.js'
import { Jid, JidError } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Bytes of a node's name and the publish-options of one registration. */
const largest = 8192

const schema = options({
  devices: number(20, 'Registrations that one account may have; a further one replaces the oldest.', {
    min: 1,
    max: 1000,
  }),
  interval: duration('5s', 'Least time between two notifications to one device; calls do not wait for it.', {
    max: '1h',
  }),
  sender: flag(false, 'Tell app servers who wrote.'),
  body: flag(false, 'Tell app servers what was written, unless it is encrypted.'),
  notice: text(
    'New message!',
    'Told in place of what was written; several app servers wake nobody without it.',
    {
      max: 200,
    },
  ),
})

type Options = ReturnType<typeof schema.parse>

export default defineModule({
  name: 'push',
  summary: 'Wakes phones that are not connected',
  xeps: [
    { number: 357, version: '0.4.1' },
    { number: 492, version: '0.2.0', note: 'muted chats and rooms wake no device' },
  ],
  options: schema,
  setup: (host, chosen) => new Pushes(host, chosen).contribution(),
})

/** Which devices a stanza concerns: by default those that are away. */
interface Whom {
  /** The device of this session, and no other. */
  readonly session?: Session | undefined
  /** It comes a second time: those that were told of something since they left know enough. */
  readonly again?: boolean
}

class Pushes {
  readonly #host: Host
  /** What copies are copies of. */
  readonly #originals = new WeakMap<Stanza, Stanza>()
  readonly #registrations: Registrations
  readonly #settings: Settings
  readonly #notifier: Notifier

  constructor(host: Host, chosen: Options) {
    this.#host = host
    this.#registrations = new Registrations(host, chosen.devices)
    this.#settings = new Settings(host)
    this.#notifier = new Notifier(host, this.#registrations, chosen)
  }

  contribution(): Contribution {
    return {
      // XEP-0357 §4.1: told by the account, not by the domain.
      accountFeatures: [NS.push],
      iq: [
        iq('set', 'self', 'enable', NS.push, (request) => this.#enable(request)),
        iq('set', 'self', 'disable', NS.push, (request) => this.#disable(request)),
      ],
      hooks: [
        hook('received', 'copy', ['message'], (stanza) => this.#arrived(stanza)),
        // Before the store takes it: what a session left behind when it ended comes this way only.
        hook('undelivered', 'stamp', ['message'], (stanza) =>
          this.#wake(stanza.to!.bare, stanza, { again: true }),
        ),
      ],
      events: {
        sessionBound: (session) => this.#isBack(session),
        sessionResumed: (session) => this.#isBack(session),
        // The network took these along, or so it seems.
        sessionParked: (session) => {
          for (const stanza of session.waiting) this.#wake(session.jid.bare, stanza, { session })
        },
        queuedForParked: (session, stanza) => this.#wake(session.jid.bare, stanza, { session }),
        accountDeleted: ({ local }) => this.#forget(local),
      },
      provides: [
        {
          key: pushKey,
          value: {
            notify: (account: Jid, stanza: Stanza, session?: Session) =>
              this.#wake(account, stanza, { session }),
          },
        },
      ],
      commands: [
        command(
          'push list',
          'operator',
          'The app servers that an account wants to be told, and how that went',
          options({ account: accountArg('NAME, or NAME@DOMAIN when there are several domains') }),
          ({ account }) => this.#list(account),
        ),
      ],
      stop: () => {
        this.#settings.stop()
        this.#notifier.stop()
      },
    }
  }

  /** XEP-0357 §5 */
  async #enable({ from, query, session }: IqRequest): Promise<void> {
    // What guests leave would never be deleted.
    if (!session?.account) throw new StanzaError('registration-required', 'Guests have no account.')
    const { local, resource } = from
    const form = formOf(query)
    const added = { ...placeOf(query), form, resource, enabledAt: this.#host.clock.now() }
    if (Buffer.byteLength((added.node ?? '') + (form ?? '')) > largest)
      throw new StanzaError('not-acceptable', `Node and publish-options are larger than ${largest} bytes.`)
    const dropped = await this.#registrations.enable(local, added)
    this.#notifier.isBack(local, added)
    if (!dropped) return
    this.#host.hits.add('push_registrations')
    this.#notifier.isBack(local, dropped)
  }

  /** XEP-0357 §6 */
  async #disable({ from: { local }, query }: IqRequest): Promise<void> {
    const { jid, node } = placeOf(query)
    for (const gone of await this.#registrations.disable(local, jid, node)) this.#notifier.isBack(local, gone)
  }

  /** A message has come for the account, wherever it goes from here. */
  #arrived(stanza: Stanza): void {
    const to = stanza.to!
    // RFC 6121 §8.5.3.2.1: these are for one resource, and come back when it is gone.
    const isForOne = stanza.effectiveType !== 'chat' && !to.isBare
    if (stanza.type === 'groupchat' || (isForOne && !this.#host.sessions.get(to))) return
    if (stanza.has('pubsub', NS.pubsub)) this.#disabledRemotely(stanza)
    this.#wake(to.bare, stanza)
  }

  /** The devices that it concerns are told of the stanza if it is worth it. */
  #wake(account: Jid, stanza: Stanza, whom: Whom = {}): void {
    const known = this.#registrations.known(account.local)
    if (known?.length === 0) return
    const news = this.#newsIn(stanza, account)
    const worth = worthOf(news, account)
    if (!worth) return
    this.#tell(account, news, worth, whom).catch((error: unknown) => this.#failed(account, error))
  }

  async #tell(account: Jid, stanza: Stanza, worth: Worth, { session, again }: Whom): Promise<void> {
    const { resource } = session?.jid ?? {}
    const isMeant = (one: Registration) =>
      resource === undefined ? this.#isAway(account, one) : one.resource === resource
    const registrations = await this.#registrations.of(account.local)
    if (!registrations.some(isMeant) || !(await this.#settings.allow(account, stanza))) return
    // Of now: reading the settings may have taken its time.
    for (const one of this.#registrations.known(account.local) ?? registrations)
      if (isMeant(one) && !(again && this.#notifier.hasTold(account.local, one)))
        this.#notifier.wake(account, one, stanza, worth)
  }

  /** The stanza, or the message that it is a copy of (XEP-0280 §7); the same one each time. */
  #newsIn(stanza: Stanza, account: Jid): Stanza {
    if (!stanza.has('received', NS.carbons) || !stanza.from.equals(account)) return stanza
    const known = this.#originals.get(stanza)
    if (known) return known
    const copied = stanza
      .child('received', NS.carbons)
      ?.child('forwarded', NS.forward)
      ?.child('message', NS.client)
    const original = copied ? Stanza.parse(copied.toString()) : stanza
    this.#originals.set(stanza, original)
    return original
  }

  #isAway({ local, domain }: Jid, { resource }: Registration): boolean {
    return !this.#host.sessions.get(Jid.of(local, domain, resource))
  }

  #isBack({ jid: { local, resource } }: Session): void {
    for (const one of this.#registrations.known(local) ?? [])
      if (one.resource === resource) this.#notifier.isBack(local, one)
  }

  /** XEP-0357 §8: the app server takes nothing more for this account. */
  #disabledRemotely(stanza: Stanza): void {
    const { bare: account } = stanza.to!
    const { node } = stanza.child('pubsub', NS.pubsub)?.attrs ?? {}
    const isOver = (one: Element) =>
      one.attrs['jid'] === account.toString() && one.attrs['affiliation'] === 'none'
    if (!stanza.child('pubsub', NS.pubsub)?.childrenOf('affiliation', NS.pubsub).some(isOver)) return
    const disable = async () => {
      for (const one of await this.#registrations.of(account.local)) {
        if (one.jid !== stanza.from.toString() || one.node !== node) continue
        this.#notifier.isBack(account.local, one)
        await this.#registrations.remove(account.local, one)
      }
    }
    disable().catch((error: unknown) => this.#failed(account, error))
  }

  #failed(account: Jid, error: unknown): void {
    this.#host.log.warn('push.failed', { user: account.toString(), error })
  }

  #forget(local: string): void {
    for (const one of this.#registrations.known(local) ?? []) this.#notifier.isBack(local, one)
    this.#registrations.forget(local)
    this.#settings.forget(local)
  }

  async #list({ local }: Jid) {
    const now = this.#host.clock.now()
    const data = (await this.#registrations.of(local)).map(
      ({ jid, node, resource, enabledAt, failures = 0, retryAt }) => ({
        service: jid,
        node,
        device: resource,
        enabled: new Date(enabledAt).toISOString(),
        failures,
        nextAttempt: retryAt === undefined || retryAt <= now ? undefined : new Date(retryAt).toISOString(),
      }),
    )
    const lines = data.map(({ service, device, enabled, failures, nextAttempt }) =>
      [
        `${device}: ${service}, enabled ${enabled}`,
        failures > 0 ? `, ${failures} failures in a row` : '',
        nextAttempt ? `, not tried before ${nextAttempt}` : '',
      ].join(''),
    )
    return { data, text: lines.length > 0 ? lines.join('\n') : 'none' }
  }
}

/** The address and the node of a request. */
function placeOf({ attrs }: Element): { jid: string; node: string | undefined } {
  const { jid, node } = attrs
  if (jid === undefined || jid === '')
    throw new StanzaError('bad-request', 'The jid of the push service is missing.')
  try {
    return { jid: Jid.parse(jid).toString(), node: node === '' ? undefined : node }
  } catch (error) {
    throw error instanceof JidError ? new StanzaError('jid-malformed', error.message) : error
  }
}

/** XEP-0357 §5: what the app server wants to get with each notification. */
function formOf(enable: Element): string | undefined {
  const form = enable.child('x', NS.dataForms)
  if (!form) return undefined
  if (formTypeOf(form) !== NS.publishOptions)
    throw new StanzaError('bad-request', 'The form holds no publish-options.')
  return form.toString()
}
