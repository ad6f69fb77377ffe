/** Addresses as peers write them: what can be read of them, without exceptions. */
import { Jid, JidError, prepareDomain } from '../stanza/jid.js'

/** An address from a peer; undefined when it is none. */
export function readable(address: string): Jid | undefined {
  return orNothing(() => Jid.parse(address))
}

/** A domain and nothing more, prepared; undefined when the text is none. */
export function domainOf(text: string): string | undefined {
  return orNothing(() => prepareDomain(text))
}

/** The domain of an address whose other parts cannot be read (RFC 7622 §3.2). */
export function domainPartOf(address: string): string | undefined {
  const slash = address.indexOf('/')
  const before = slash < 0 ? address : address.slice(0, slash)
  return domainOf(before.slice(before.indexOf('@') + 1))
}

function orNothing<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof JidError) return undefined
    throw error
  }
}
