/** XEP-0198 for clients: `<enable/>`, `<r/>` and `<a/>` on a bound session, and `<resume/>` in place of binding. */
import { requireAccount } from './bind.js'
import type { Client } from './client.js'
import type { Session } from '../session/session.js'
import { sizeOfHeld } from '../session/session.js'
import type { StreamFeature } from '../host/module.js'
import { Jid } from '../stanza/jid.js'
import { StorageUnavailable } from '../storage/errors.js'
import { Acks, counted, type Asker, type Window } from '../stream/acks.js'
import { StreamError } from '../stream/errors.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import type { RawElement } from '../xml/parser.js'
import { serialise } from '../xml/write.js'

/** Milliseconds that a resumption waits for what the client had said before to be stored. */
const settlingTime = 10_000

/** What the streams of all clients share for it. */
export interface Managing {
  readonly window: Window
  readonly asker: Asker
  /** Where clients should reconnect (XEP-0198 §5), if somewhere else than where they came. */
  readonly location: string | undefined
}

/** An answer to `<resume/>`, and what follows once it is sent. */
export interface Answer {
  readonly element: Element
  /** Sends what the client missed; nothing after `<failed/>`. */
  readonly proceed: () => unknown
}

/** Tells clients that there is stream management; what they say of it goes to `manage`. */
export const management: StreamFeature<Client> = {
  ns: NS.streamManagement,
  reads: [],
  fits: ({ authenticated, bound }) => authenticated && !bound,
  offer: () => el('sm', NS.streamManagement),
}

/** An element of stream management, whenever it comes. */
export function manage(raw: RawElement, client: Client): void | Promise<void> {
  const { session, stream } = client
  switch (raw.name) {
    case 'r':
      if (!session?.acks) break
      return session.acks.requested()
    case 'a':
      if (!session?.acks) break
      return session.acknowledge(raw.attrs['h'])
    case 'enable':
      stream.send(text(enableOn(client, raw.toElement())))
      return
    case 'resume':
      return resumeOn(client, raw.toElement()).then(
        ({ element, proceed }) => {
          stream.send(text(element))
          proceed()
        },
        (error: unknown) => {
          throw error instanceof StorageUnavailable ? new StreamError('internal-server-error') : error
        },
      )
  }
  throw new StreamError('unsupported-stanza-type')
}

/**
 * XEP-0198 §3: once, and on a session. Gives the answer, `<enabled/>` or `<failed/>`; the counters begin with it, so it is
 * to be sent before any stanza.
 */
export function enableOn({ session, stream, managing, parking }: Client, { attrs }: Element): Element {
  if (!session || session.acks) return failed('unexpected-request')
  const { location } = managing
  session.acks = new Acks({ stream, sizeOf: sizeOfHeld, ...managing })
  if (!isTrue(attrs['resume'])) return el('enabled', NS.streamManagement)
  const { id, ms } = parking.admit(session, secondsOf(attrs['max']))
  return el('enabled', NS.streamManagement, { id, resume: 'true', max: Math.ceil(ms / 1000), location })
}

/**
 * XEP-0198 §5: in place of binding, after authentication. Gives the answer, `<resumed/>` or `<failed/>` (then the client
 * can bind), and what is to be done when that is sent.
 * @throws StreamError `not-authorized` before authentication, and as `Acks.acknowledge`; StorageUnavailable: it may come again
 */
export async function resumeOn(client: Client, { attrs }: Element): Promise<Answer> {
  const { host, local, parking, parts, stream } = client
  if (local === undefined) throw new StreamError('not-authorized')
  if (client.session) return refused(failed('unexpected-request'))
  const { previd, h } = attrs
  if (previd === undefined) return refused(failed('bad-request'))
  counted(h)
  await requireAccount(client)
  const account = Jid.of(local, host.domain)
  const session = parking.find(previd, account)
  if (session) await parking.taken(session)
  const since = parts.clock.now()
  // Another stream of the client may take it meanwhile: from the last look to the resumption nothing waits.
  for (let pending = session && detached(session, client, since); pending;) {
    await pending
    pending = detached(session!, client, since)
  }
  // It may have ended meanwhile, or this stream.
  if (!session?.live || session.account !== client.account || !stream.open) {
    parts.resumptions.of('unknown').add()
    return refused(failed('item-not-found', parking.handledBy(previd, account)))
  }
  session.resume(stream, h)
  client.session = session
  parking.resumed(session)
  parts.resumptions.of('resumed').add()
  stream.ready()
  parts.router.sessionResumed(session)
  const element = el('resumed', NS.streamManagement, { previd, h: session.acks!.handled })
  // Another stream may have taken the session before this answer is sent.
  return { element, proceed: () => session.stream === stream && session.goOn() }
}

/**
 * Takes the session off the stream that it has. Undefined: what its client said on the last one counts or never will;
 * else a while to wait until it is worth asking again.
 */
function detached(session: Session, { parking, parts }: Client, since: number): Promise<void> | undefined {
  const { stream, acks } = session
  if (stream) {
    parking.park(session)
    // XEP-0198 §5: it still stood, but the client knows better.
    stream.fail(new StreamError('conflict', 'Resumed on another stream'))
  }
  const { clock } = parts
  const left = since + settlingTime - clock.now()
  if (!session.live || !acks || acks.unsettled === 0 || acks.hasFailed || left <= 0) return undefined
  return new Promise((resolve) => {
    const late = clock.after(left, resolve)
    void acks.settled().then(() => {
      late.cancel()
      resolve()
    })
  })
}

function isTrue(flag: string | undefined): boolean {
  return flag === 'true' || flag === '1'
}

/** XEP-0198 §13: an xs:positiveInteger; anything else is as if it was not said. */
function secondsOf(max: string | undefined): number | undefined {
  return max !== undefined && /^\d{1,10}$/.test(max) && Number(max) > 0 ? Number(max) : undefined
}

function failed(condition: string, h?: number): Element {
  return el('failed', NS.streamManagement, { h }, el(condition, NS.stanzaErrors))
}

function refused(element: Element): Answer {
  return { element, proceed: () => undefined }
}

function text(element: Element): string {
  return serialise(element, 'jabber:client')
}

/** Looks now and then whether a client whose window is full still acknowledges. */
export class Patience {
  #count = -1
  #since = 0

  /** Whether `ms` have gone by without an acknowledgement. */
  isOver({ session }: Client, now: number, ms: number): boolean {
    const acks = session?.acks
    if (!acks?.full) this.#count = -1
    else if (acks.acknowledgedCount !== this.#count) {
      this.#count = acks.acknowledgedCount
      this.#since = now
    } else return now - this.#since >= ms
    return false
  }
}
