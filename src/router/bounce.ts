/** The one place where an error becomes a stanza (RFC 6120 §8.3). */
import { StanzaError } from '../stanza/errors.js'
import { Stanza } from '../stanza/stanza.js'
import type { Jid } from '../stanza/jid.js'
import { StorageUnavailable } from '../storage/errors.js'

/**
 * The error that goes back to the sender, from the address it wrote to. Undefined where none may be sent: to an error,
 * to a result (RFC 6120 §8.3.1), to presence that only informs.
 */
export function bounced(stanza: Stanza, error: StanzaError, as?: Jid): Stanza | undefined {
  if (stanza.type === 'error' || (stanza.kind === 'iq' && stanza.type === 'result')) return undefined
  return Stanza.of(
    {
      kind: stanza.kind,
      type: 'error',
      id: stanza.id,
      from: as ?? stanza.to ?? stanza.from.bare,
      to: stanza.from,
    },
    error.toElement(),
  )
}

/** What the peer is told of whatever was thrown while its stanza was served. */
export function stanzaErrorOf(error: unknown): StanzaError {
  if (error instanceof StanzaError) return error
  // A store that is away comes back: the sender may try again.
  if (error instanceof StorageUnavailable)
    return new StanzaError('internal-server-error', undefined, { type: 'wait' })
  return new StanzaError('internal-server-error')
}
