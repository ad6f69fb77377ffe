/** SASL as a stream feature (RFC 6120 §6): which mechanisms are offered, and the elements of an exchange. */
import type { Client } from './client.js'
import type { Profile } from './login.js'
import type { Next, StreamFeature } from '../host/module.js'
import { failure, type Step } from '../sasl/mechanism.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { serialise } from '../xml/write.js'

export const authentication: StreamFeature<Client> = {
  ns: NS.sasl,
  reads: ['auth', 'response', 'abort'],
  // RFC 6120 §5.3.1, §6.3.4: not before TLS where that is required, and once only.
  fits: ({ secure, authenticated }) => secure && !authenticated,
  offer({ login }) {
    const offered = login.offer()
    if (offered.length === 0) return undefined
    return el('mechanisms', NS.sasl, {}, ...offered.map(({ name }) => el('mechanism', NS.sasl, {}, name)))
  },
  async receive(element, client): Promise<Next> {
    return client.login.conclude(await stepOf(element, client), profile)
  },
}

/** XEP-0440: the types of channel binding this connection has. */
export const channelBindingTypes: StreamFeature<Client> = {
  ns: NS.channelBinding,
  reads: [],
  fits: ({ secure, authenticated }) => secure && !authenticated,
  offer({ stream: { transport }, login }) {
    const types = transport.tls?.bindings?.types ?? []
    if (types.length === 0 || !login.offered.some((one) => one.plus)) return undefined
    const rows = types.map((type) => el('channel-binding', NS.channelBinding, { type }))
    return el('sasl-channel-binding', NS.channelBinding, {}, ...rows)
  },
}

const profile: Profile = {
  challenge: (data, client) => say(client, el('challenge', NS.sasl, {}, data.toString('base64'))),
  failure: (condition, client) => say(client, el('failure', NS.sasl, {}, el(condition, NS.sasl))),
  success({ local, data }, client) {
    say(client, el('success', NS.sasl, {}, encoded(data)))
    client.authenticated(local)
    client.stream.restart('same layer')
    return 'restart'
  },
}

function stepOf({ local, attrs, text }: Element, { login }: Client): Step | Promise<Step> {
  // RFC 6120 §6.4.2: "=" stands for data of zero length.
  const data = text === '=' ? '' : text
  switch (local) {
    case 'auth': {
      const mechanism = login.offered.find(({ name }) => name === attrs['mechanism'])
      return login.begin(mechanism, text === '' ? undefined : data)
    }
    case 'response':
      return login.respond(data)
    default:
      login.abandon()
      return failure('aborted') // RFC 6120 §6.4.4
  }
}

function say({ stream }: Client, element: Element): void {
  stream.send(serialise(element, NS.client))
}

/** RFC 6120 §6.4.6: data of zero length is written "=", none is left out. */
function encoded(data: Buffer | undefined): string | undefined {
  if (data === undefined) return undefined
  return data.length === 0 ? '=' : data.toString('base64')
}
