/** Domains as peers write them: what can be read of them, without exceptions. */
import { JidError, prepareDomain } from '../stanza/jid.js'

/** A domain and nothing more, prepared; undefined when the text is none. */
export function domainOf(text: string): string | undefined {
  try {
    return prepareDomain(text)
  } catch (error) {
    if (error instanceof JidError) return undefined
    throw error
  }
}

/** The domain of an address whose other parts cannot be read (RFC 7622 §3.2). */
export function domainPartOf(address: string): string | undefined {
  const slash = address.indexOf('/')
  const before = slash < 0 ? address : address.slice(0, slash)
  return domainOf(before.slice(before.indexOf('@') + 1))
}
