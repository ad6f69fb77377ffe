/** An address as a peer wrote it. */
import { Jid, JidError } from '../stanza/jid.js'

/** The address, prepared; undefined when it is none. */
export function readable(address: string): Jid | undefined {
  try {
    return Jid.parse(address)
  } catch (error) {
    if (error instanceof JidError) return undefined
    throw error
  }
}
