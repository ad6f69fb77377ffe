/** SASL as a stream feature (RFC 6120 §6): which mechanisms, one exchange at a time, what the failures mean. */
import type { Client } from './c2s.js'
import { networkOf } from '../base/network.js'
import type { Next, StreamFeature } from '../host/module.js'
import { decodeBase64 } from '../sasl/base64.js'
import { failure, type SaslContext, type Step } from '../sasl/mechanism.js'
import { offerable } from '../sasl/mechanisms.js'
import { JidError, prepareLocal } from '../stanza/jid.js'
import { StreamError } from '../stream/errors.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { serialise } from '../xml/write.js'

const CHANNEL_BINDING = 'urn:xmpp:sasl-cb:0'

/** Failed too often: told as a passing failure, so that the owner is not shut out elsewhere. */
class Throttled extends Error {}

export const authentication: StreamFeature<Client> = {
  ns: NS.sasl,
  reads: ['auth', 'response', 'abort'],
  // RFC 6120 §5.3.1, §6.3.4: not before TLS where that is required, and once only.
  fits: ({ secure, authenticated }) => secure && !authenticated,
  offer(client) {
    client.offered = offerable(client.settings.mechanisms, client.stream.transport.tls?.bindings)
    if (client.offered.length === 0) return undefined
    return el(
      'mechanisms',
      NS.sasl,
      {},
      ...client.offered.map(({ name }) => el('mechanism', NS.sasl, {}, name)),
    )
  },
  async receive(element, client): Promise<Next> {
    const step = await stepOf(element, client)
    return conclude(step, client)
  },
}

/** XEP-0440: the types of channel binding this connection has. */
export const channelBindingTypes: StreamFeature<Client> = {
  ns: CHANNEL_BINDING,
  reads: [],
  fits: ({ secure, authenticated }) => secure && !authenticated,
  offer({ stream: { transport }, offered }) {
    const types = transport.tls?.bindings?.types ?? []
    if (types.length === 0 || !offered.some((one) => one.plus)) return undefined
    const rows = types.map((type) => el('channel-binding', CHANNEL_BINDING, { type }))
    return el('sasl-channel-binding', CHANNEL_BINDING, {}, ...rows)
  },
}

function stepOf(element: Element, client: Client): Step | Promise<Step> {
  switch (element.local) {
    case 'auth':
      return begin(element, client)
    case 'response':
      return respond(element, client)
    default:
      abandon(client)
      return failure('aborted') // RFC 6120 §6.4.4
  }
}

function begin(auth: Element, client: Client): Step | Promise<Step> {
  abandon(client) // RFC 6120 §6.4.2: an exchange under way is over when another begins.
  if (client.parts.overloaded()) {
    client.parts.hits.add('memory_guard')
    throw new StreamError('resource-constraint', 'Try again later')
  }
  const mechanism = client.offered.find(({ name }) => name === auth.attrs['mechanism'])
  if (!mechanism) return failure('invalid-mechanism')
  client.mechanism = mechanism.name
  client.claimed = undefined
  client.account = 0
  client.exchange = { mechanism, run: mechanism.begin(contextOf(client)) }
  // RFC 6120 §6.4.2: none at all is asked for by an empty challenge; "=" is an empty one.
  if (auth.text === '') return { outcome: 'continue', data: Buffer.alloc(0) }
  const data = auth.text === '=' ? Buffer.alloc(0) : decodeBase64(auth.text)
  return data ? client.exchange.run.step(data) : failure('incorrect-encoding')
}

/** The exchange under way, if any, ends without a result. */
export function abandon(client: Client): void {
  client.exchange = undefined
  client.attempt?.withdrawn()
  client.attempt = undefined
}

function respond(response: Element, client: Client): Step | Promise<Step> {
  if (!client.exchange) return failure('malformed-request')
  const data = response.text === '=' ? Buffer.alloc(0) : decodeBase64(response.text)
  return data ? client.exchange.run.step(data) : failure('incorrect-encoding')
}

function contextOf(client: Client): SaslContext {
  const { host, parts, stream, offered } = client
  const address = stream.transport.remote
  return {
    domain: host.domain,
    offered: offered.map(({ name }) => name),
    bindings: stream.transport.tls?.bindings,
    random: parts.random,
    secret: parts.secret,
    passwords: parts.passwords,
    prepare(local) {
      try {
        return prepareLocal(local)
      } catch (error) {
        if (error instanceof JidError) return undefined
        throw error
      }
    },
    async credentials(local) {
      client.claimed = local
      const attempt = await parts.throttle.attempt(`${networkOf(address)} ${local}@${host.domain}`)
      // Whoever left while it waited gives its place to the next.
      if (stream.open) client.attempt = attempt
      else attempt?.withdrawn()
      if (!client.attempt) {
        parts.hits.add('lockout_failures')
        parts.ratelimited.add()
        throw new Throttled()
      }
      const account = await host.account(local)
      client.account = account?.id ?? 0
      return account && { keys: account.keys, disabled: account.disabled !== undefined }
    },
  }
}

function conclude(step: Step, client: Client): Next {
  const { stream, parts, host } = client
  if (step.outcome === 'continue') {
    stream.send(serialise(el('challenge', NS.sasl, {}, step.data.toString('base64')), 'jabber:client'))
    return 'stay'
  }
  const { mechanism, attempt } = client
  const facts = { ip: stream.transport.remote, host: host.domain, mech: mechanism }
  if (step.outcome === 'success') {
    attempt?.succeeded()
    abandon(client)
    parts.authResults.of(mechanism, 'success').add()
    parts.log.debug('c2s.auth.succeeded', { ...facts, user: `${step.local}@${host.domain}` })
    stream.send(serialise(el('success', NS.sasl, {}, encoded(step.data)), 'jabber:client'))
    client.authenticated(step.local)
    stream.restart('same layer')
    return 'restart'
  }
  const { claimed } = client
  // A mechanism that did not get as far as somebody's keys was no guess: the client goes on to its next one.
  if (claimed !== undefined) client.failures++
  if (step.condition === 'not-authorized') attempt?.failed()
  abandon(client)
  parts.authResults
    .of(client.offered.some(({ name }) => name === mechanism) ? mechanism : 'unknown', step.condition)
    .add()
  parts.log.info('c2s.auth.failed', {
    ...facts,
    reason: step.condition,
    ...(claimed === undefined ? {} : { user: `${claimed}@${host.domain}` }),
  })
  stream.send(serialise(el('failure', NS.sasl, {}, el(step.condition, NS.sasl)), 'jabber:client'))
  // RFC 6120 §6.4.5: a few tries, then the stream ends.
  if (client.failures >= client.settings.failuresPerStream) {
    parts.hits.add('login_failures')
    throw new StreamError('policy-violation', 'Too many failed logins')
  }
  return 'stay'
}

/** RFC 6120 §6.4.6: data of zero length is written "=", none is left out. */
function encoded(data: Buffer | undefined): string | undefined {
  if (data === undefined) return undefined
  return data.length === 0 ? '=' : data.toString('base64')
}
