/** RFC 3921 §3: session establishment. It does nothing any more, but old clients insist on it (RFC 6121 appendix E). */
import { options } from '../base/schema.js'
import { iq } from '../host/iq-table.js'
import { defineModule, type StreamFeature } from '../host/module.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

const session: StreamFeature = {
  ns: NS.session,
  reads: [],
  fits: ({ direction, authenticated, bound }) => direction === 'c2s' && authenticated && !bound,
  // The mark spares clients that know it the round trip.
  offer: () => el('session', NS.session, undefined, el('optional')),
}

export default defineModule({
  name: 'session',
  summary: 'Lets clients of before 2011 establish their session',
  xeps: [],
  options: options({}),

  setup() {
    const established = () => undefined
    return {
      streamFeatures: [session],
      iq: [
        iq('set', 'self', 'session', NS.session, established),
        iq('set', 'host', 'session', NS.session, established),
      ],
    }
  },
})
