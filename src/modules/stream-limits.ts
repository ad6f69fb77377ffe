/** XEP-0478: Stream Limits Advertisement. Tells the peer how large its stanzas may be before it finds out. */
import { options } from '../base/schema.js'
import { defineModule, type StreamFeature } from '../host/module.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** XEP-0478 §4: the limits change with authentication, and are told again then. */
const limits: StreamFeature = {
  ns: NS.streamLimits,
  reads: [],
  fits: () => true,
  offer({ stream, facts }) {
    const { before, after } = stream.options.limits
    const { bytes } = facts.authenticated ? after : before
    if (!Number.isFinite(bytes)) return undefined
    return el('limits', NS.streamLimits, undefined, el('max-bytes', undefined, undefined, String(bytes)))
  },
}

export default defineModule({
  name: 'stream-limits',
  summary: 'Tells clients how large a stanza may be',
  xeps: [
    {
      number: 478,
      version: '0.2.0',
      status: 'partial',
      note: 'max-bytes; idle-seconds is left out, since silent clients are asked before they are closed',
    },
  ],
  options: options({}),

  setup() {
    return { streamFeatures: [limits] }
  },
})
