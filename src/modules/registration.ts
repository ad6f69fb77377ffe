/** XEP-0077: In-Band Registration. Accounts made, changed and removed from a client. */
import { Lru } from '../base/lru.js'
import { networkOf } from '../base/network.js'
import { TokenBucket } from '../base/rate.js'
import { number, options, rate, text } from '../base/schema.js'
import { iq, type IqRequest } from '../host/iq-table.js'
import { defineModule, type Negotiation, type Next, type StreamFeature } from '../host/module.js'
import type { Session } from '../session/session.js'
import { StanzaError } from '../stanza/errors.js'
import { form, Submission, type Field } from '../stanza/forms.js'
import { JidError, prepareLocal } from '../stanza/jid.js'
import { Stanza } from '../stanza/stanza.js'
import type { Account } from '../storage/accounts.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { serialise } from '../xml/write.js'

const fields: readonly Field[] = [
  { name: 'username', type: 'text-single', label: 'User name', required: true },
  { name: 'password', type: 'text-private', label: 'Password', required: true },
]

/** Networks whose attempts are counted; the one unseen for longest is forgotten first. */
const maxNetworks = 10_000

export default defineModule({
  name: 'registration',
  summary: 'Lets people make, change and remove accounts from their client',
  xeps: [{ number: 77, version: '2.4' }],
  enabled: false,
  options: options({
    attempts: rate('10/h', 'Attempts to make an account that one address has; IPv6 counts by /64.', {
      off: true,
    }),
    accounts: number('off', 'Accounts of the domain at which registration closes.', { off: true, min: 1 }),
    instructions: text('Choose a name and a password.', 'What clients show above the form.'),
  }),

  setup(host, settings) {
    const attempts = new Lru<string, TokenBucket>(maxNetworks)

    /** XEP-0077 §3.1.1: before authentication, as a stream feature. */
    const register: StreamFeature = {
      ns: NS.registrationFeature,
      reads: [],
      iqPayload: NS.registration,
      fits: ({ direction, secure, authenticated }) => direction === 'c2s' && secure && !authenticated,
      offer: () => el('register', NS.registrationFeature),
      async receive(request, at): Promise<Next> {
        const { id, type } = request.attrs
        const query = request.child('query', NS.registration)
        if (!id || !query || (type !== 'get' && type !== 'set')) throw new StanzaError('bad-request')
        const answer = type === 'get' ? blankForm() : await create(query, at)
        const result = el('iq', undefined, { type: 'result', id, from: host.domain }, answer)
        at.stream.send(serialise(result, NS.client))
        return 'stay'
      },
    }

    function blankForm(): Element {
      return el(
        'query',
        NS.registration,
        undefined,
        el('instructions', undefined, undefined, settings.instructions),
        el('username'),
        el('password'),
        form(NS.registration, fields, { title: host.domain, instructions: settings.instructions }),
      )
    }

    async function create(query: Element, { stream }: Negotiation): Promise<undefined> {
      // XEP-0077 §3.2: there is no account yet that could be removed.
      if (query.child('remove', NS.registration)) throw new StanzaError('unexpected-request')
      const { remote } = stream.transport
      requireLeave(remote)
      const { username, password } = filledIn(query)
      if (!username || !password) throw new StanzaError('not-acceptable', 'Name and password are needed.')
      const local = localOf(username)
      if (
        Number.isFinite(settings.accounts) &&
        (await host.accounts.count(host.domain)) >= settings.accounts
      ) {
        host.hits.add('registered_accounts')
        throw new StanzaError('not-allowed', 'This server takes no more accounts.')
      }
      if ((await host.createAccount(local, password, 'in-band')) === 'exists')
        throw new StanzaError('conflict')
      host.log.info('account.registered', { user: `${local}@${host.domain}`, ip: remote })
      return undefined
    }

    /** Conflicts count too: otherwise somebody could try all names to see which exist. */
    function requireLeave(remote: string): void {
      const { count, per } = settings.attempts
      if (!Number.isFinite(count)) return
      const network = networkOf(remote)
      const bucket = attempts.get(network) ?? new TokenBucket((count * 1000) / per, count, host.clock)
      attempts.set(network, bucket)
      if (bucket.admit(1)) return
      host.hits.add('registration')
      throw new StanzaError('resource-constraint', 'Too many attempts from your address; try again later.')
    }

    /** After authentication. XEP-0077 §3.1: the account there is, without its password. */
    async function current({ from, session }: IqRequest) {
      await ownAccount(from.local, session)
      return el(
        'query',
        NS.registration,
        undefined,
        el('registered'),
        el('instructions', undefined, undefined, 'You can change your password.'),
        el('username', undefined, undefined, from.local),
        el('password'),
      )
    }

    async function change(request: IqRequest): Promise<void> {
      const { from, query, session } = request
      const account = await ownAccount(from.local, session)
      if (query.child('remove', NS.registration)) return remove(request, account)
      const { username, password } = filledIn(query)
      // XEP-0077 §3.3: an empty password never replaces the one there is.
      if (!username || !password) throw new StanzaError('bad-request', 'Name and password are needed.')
      if (localOf(username) !== account.local)
        throw new StanzaError('not-allowed', 'You can change your own account only.')
      await host.setPassword(account, password)
      host.log.info('account.password.changed', { user: from.bare.toString() })
    }

    /** XEP-0077 §3.2, case 1: everything of the account goes, all its sessions end with *not-authorized*. */
    async function remove({ from, query, stanza, to, session }: IqRequest, account: Account): Promise<void> {
      if (query.childrenOf().length > 1) throw new StanzaError('bad-request', 'Remove stands alone.')
      const result = Stanza.of({ kind: 'iq', type: 'result', id: stanza.id, from: to, to: from })
      // The session that asked hears of its success before it ends, which is before this handler could return.
      await host.removeAccount(account, () => session?.deliver(result))
      host.log.info('account.removed', { user: from.bare.toString() })
    }

    /** The account of the session that asks; nobody else has a say here. */
    async function ownAccount(local: string, session: Session | undefined): Promise<Account> {
      if (!session) throw new StanzaError('forbidden')
      const account = await host.account(local)
      if (!account) throw new StanzaError('registration-required', 'Guests have no account.')
      return account
    }

    return {
      features: [NS.registration],
      streamFeatures: [register],
      iq: [
        iq('get', 'host', 'query', NS.registration, current),
        iq('get', 'self', 'query', NS.registration, current),
        iq('set', 'host', 'query', NS.registration, change),
        iq('set', 'self', 'query', NS.registration, change),
      ],
    }
  },
})

/** XEP-0077 §6: the form goes before the fields of old. */
function filledIn(query: Element): { username: string | undefined; password: string | undefined } {
  const x = query.child('x', NS.dataForms)
  if (!x)
    return {
      username: query.child('username', NS.registration)?.text,
      password: query.child('password', NS.registration)?.text,
    }
  const given = new Submission(x, undefined, fields)
  return { username: given.text('username'), password: given.text('password') }
}

function localOf(username: string): string {
  try {
    return prepareLocal(username)
  } catch (error) {
    if (error instanceof JidError) throw new StanzaError('not-acceptable', error.message)
    throw error
  }
}
