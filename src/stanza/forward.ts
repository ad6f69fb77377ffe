/** XEP-0297: a stanza inside another one. What it holds is not read again: its text is put in as it is. */
import { delay } from './delay.js'
import { Stanza, type Envelope } from './stanza.js'
import { NS } from '../xml/namespaces.js'

/**
 * A message whose one child, an element of the protocol that forwards, holds `stanza`. XEP-0297 §3.2: the namespace of
 * the forwarded stanza is preserved. `at`: when it was said, in milliseconds since 1970.
 */
export function forwarding(
  envelope: Envelope,
  { name, ns }: { readonly name: string; readonly ns: string },
  stanza: Stanza,
  at?: number,
): Stanza {
  const moment = at === undefined ? '' : delay(undefined, at).toString()
  const inner = moment + stanza.toStandaloneXml()
  const text = `<${name} xmlns='${ns}'><forwarded xmlns='${NS.forward}'>${inner}</forwarded></${name}>`
  return Stanza.around(envelope, { name, ns, text })
}
