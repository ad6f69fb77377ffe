/** STARTTLS (RFC 6120 §5): the way from plain text to TLS on the same connection. */
import type { Client } from './client.js'
import type { Next, StreamFeature } from '../host/module.js'
import { StreamError } from '../stream/errors.js'
import { NS } from '../xml/namespaces.js'
import { el } from '../xml/element.js'

const PROCEED = `<proceed xmlns='${NS.tls}'/>`

export const starttls: StreamFeature<Client> = {
  ns: NS.tls,
  reads: ['starttls'],
  fits: ({ authenticated }) => !authenticated,
  offer({ stream: { transport } }) {
    if (transport.tls || !transport.secure) return undefined
    // RFC 6120 §5.3.1: with TLS mandatory nothing else is offered before; a trusted listener may do without.
    return el('starttls', NS.tls, {}, transport.trusted ? undefined : el('required', NS.tls))
  },
  async receive(_starttls, { stream }): Promise<Next> {
    // Plain text behind the request is not ours to read as either (RFC 6120 §5.3.3).
    if (stream.hasUnread) throw new StreamError('policy-violation', 'Wait for <proceed/>')
    // RFC 6120 §5.4.3.3: all that was learnt in plain text is forgotten.
    const handshake = stream.transport.secure?.(PROCEED)
    stream.restart('new layer')
    try {
      await handshake
    } catch {
      // RFC 6120 §5.4.3.2: the transport has counted the failure and closed the connection.
      stream.close()
    }
    return 'restart'
  },
}
