/** XEP-0352: Client State Indication. What can wait for a client that nobody looks at waits, and its radio sleeps. */
import { Backlog } from './backlog.js'
import { whatWaits } from './patience.js'
import { number, options, size } from '../../base/schema.js'
import { handled, hook, type Verdict } from '../../host/hooks.js'
import { anything, defineModule, type StreamFeature } from '../../host/module.js'
import type { Session } from '../../session/session.js'
import { Slot } from '../../session/slot.js'
import type { Stanza } from '../../stanza/stanza.js'
import { el } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** XEP-0352 §5: active until it says otherwise. Made for sessions that have said so once. */
class Attention {
  inactive = false
  /** What waited is being sent. */
  flushing = false
  readonly backlog = new Backlog()
}

/** What waits outlives a restart, too: nobody says it again. */
const attention = new Slot('client-state', () => new Attention(), {
  save: ({ backlog }) => (backlog.length === 0 ? undefined : backlog.toJSON()),
  restore(saved) {
    const at = new Attention()
    at.backlog.restore(saved as ReturnType<Backlog['toJSON']>)
    return at
  },
})

export default defineModule({
  name: 'client-state',
  summary: 'Holds back what can wait while nobody looks at a client',
  xeps: [{ number: 352, version: '1.0.0' }],
  options: options({
    queue: number(500, 'Stanzas that wait for one client; all are sent when there are more.', {
      min: 1,
      max: 10_000,
    }),
    queue_size: size('256KiB', 'How large they may be together.', { min: '1KiB', max: '16MiB' }),
  }),

  setup(host, settings) {
    const held = host.counter(
      'client_state_held_total',
      'Stanzas held back while nobody looked at the client',
    )
    const spared = host.counter(
      'client_state_spared_total',
      'Stanzas held back that were never sent, since a later one took their place',
    )

    function become(session: Session, state: string): void {
      if (state === 'inactive') session.state(attention).inactive = true
      else if (state === 'active') wake(session)
    }

    /** XEP-0352 §5.1: what waited is on its way before anything that the client says next is looked at. */
    function wake(session: Session): void {
      const at = session.peek(attention)
      if (!at) return
      at.inactive = false
      flush(session, at)
    }

    /** Past all that waits for another reason: that came later. */
    function flush(session: Session, at: Attention): void {
      if (at.backlog.length === 0) return
      at.flushing = true
      try {
        for (const stanza of at.backlog.take()) session.deliverNow(stanza)
      } finally {
        at.flushing = false
      }
    }

    /** What is about to be sent waits, or all that waits goes before it (RFC 6120 §10.1). */
    function patience(stanza: Stanza, { session }: { session: Session }): Verdict {
      const at = session.peek(attention)
      if (!at || at.flushing || !at.inactive) return undefined
      const { backlog } = at
      const word = whatWaits(stanza, session.jid.bare)
      if (word === undefined) return flush(session, at)
      const before = backlog.length
      backlog.add(stanza, word)
      held.add()
      if (backlog.length === before) spared.add()
      if (backlog.length > settings.queue || backlog.bytes > settings.queue_size) {
        host.hits.add('client_state_queue')
        flush(session, at)
      }
      return handled
    }

    /** Its radio is awake anyway. */
    function speaks(_: unknown, { session }: { session: Session }): void {
      const at = session.peek(attention)
      if (at) flush(session, at)
    }

    const indication: StreamFeature = {
      ns: NS.clientState,
      // XEP-0352 §4.2: an indication, not a request: what is not understood of it does no harm.
      reads: anything,
      fits: ({ direction, authenticated }) => direction === 'c2s' && authenticated,
      offer: () => el('csi', NS.clientState),
      receive(element, { session }) {
        if (session) become(session, element.local)
        return 'stay'
      },
    }

    return {
      streamFeatures: [indication],
      bindFeatures: [
        {
          ns: NS.clientState,
          reads: ['active', 'inactive'],
          enable(element, session) {
            become(session, element.local)
            return undefined
          },
        },
      ],
      hooks: [
        hook('outbound', 'store', ['message', 'presence', 'iq'], patience),
        hook('sent', 'copy', ['message', 'presence', 'iq'], speaks),
      ],
      // XEP-0352 §5.2: after what the old stream left, and before what comes next.
      events: { sessionResumed: wake },
      stop() {
        for (const session of host.sessions.all()) speaks(undefined, { session })
      },
    }
  },
})
