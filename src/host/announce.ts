/** What the server itself says to people: to one account, or to all that are connected. */
import type { Host } from './host.js'
import { Jid } from '../stanza/jid.js'
import { Stanza } from '../stanza/stanza.js'
import { el } from '../xml/element.js'

/** Accounts that are written to before others get their turn. */
const SLICE = 200

/** A message of the domain to one address. */
export function tell(host: Host, to: Jid, message: string, subject?: string): void {
  const envelope = { kind: 'message', type: undefined, id: host.random.id(), from: host.address, to } as const
  const body = el('body', undefined, undefined, message)
  host.send(
    subject === undefined
      ? Stanza.of(envelope, body)
      : Stanza.of(envelope, el('subject', undefined, undefined, subject), body),
  )
}

/** To each account of the domain that has an available resource; gives how many. */
export async function announce(host: Host, message: string, subject?: string): Promise<number> {
  const locals = new Set<string>()
  for (const session of host.sessions.all()) if (session.takesMessages) locals.add(session.jid.local)
  let told = 0
  for (const local of locals) {
    tell(host, Jid.of(local, host.domain), message, subject)
    if (++told % SLICE === 0) await new Promise<void>((resolve) => setImmediate(resolve))
  }
  return told
}
