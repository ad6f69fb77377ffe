/** How much one may say in a room, and how often: each word of one costs as many as are in. And who may not come in at all. */
import type { RoomFeature } from './feature.js'
import type { Room } from './room.js'
import { RoomSlot } from './room.js'
import type { RoomService } from './service.js'
import type { Clock } from '../../base/clock.js'
import type { Bound } from '../../base/limit-hits.js'
import { Lru } from '../../base/lru.js'
import { TokenBucket } from '../../base/rate.js'
import type { Rate } from '../../base/units.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'

/** What a sysadmin sets. */
export interface RoomLimits {
  /** Bytes. */
  readonly messageSize: number
  readonly presenceSize: number
  /** Messages of one account, of all, changes of presence and nicknames of one account, each in one room. */
  readonly occupantRate: Rate
  readonly rate: Rate
  readonly presenceRate: Rate
  readonly nickRate: Rate
}

/** Accounts whose pace a room remembers: they cannot begin anew by going and coming. */
const remembered = 2_000
/** Seconds of a rate that may be taken at once. */
const burst = 10

/** Of one kind, in one room, by account. */
class Paces {
  readonly #make: () => TokenBucket
  readonly #buckets = new Lru<string, TokenBucket>(remembered)

  constructor(make: () => TokenBucket) {
    this.#make = make
  }

  admit(account: string): boolean {
    let bucket = this.#buckets.get(account)
    if (!bucket) this.#buckets.set(account, (bucket = this.#make()))
    return bucket.admit(1)
  }
}

/** All of a room, as its service was set up. */
class RoomPaces {
  readonly settings: RoomLimits
  readonly all: TokenBucket
  readonly messages: Paces
  readonly presence: Paces
  readonly nicks: Paces

  constructor(settings: RoomLimits, clock: Clock) {
    this.settings = settings
    this.all = bucketOf(settings.rate, clock)
    this.messages = new Paces(() => bucketOf(settings.occupantRate, clock))
    this.presence = new Paces(() => bucketOf(settings.presenceRate, clock))
    this.nicks = new Paces(() => bucketOf(settings.nickRate, clock))
  }
}

function bucketOf({ count, per }: Rate, clock: Clock): TokenBucket {
  const perSecond = (count * 1000) / per
  return new TokenBucket(perSecond, Math.max(count, perSecond * burst), clock)
}

const slot = new RoomSlot('paces', () => ({ paces: undefined as RoomPaces | undefined }))

export function limits(service: RoomService): RoomFeature {
  const { host, settings } = service

  function pacesOf(room: Room): RoomPaces {
    const held = room.state(slot)
    // Others after a reload.
    if (held.paces?.settings !== settings) held.paces = new RoomPaces(settings, host.clock)
    return held.paces
  }

  function refuse(bound: Bound, error: StanzaError): never {
    host.hits.add(bound)
    throw error
  }

  function fits({ payload: { text } }: Stanza, most: number, bound: Bound): void {
    // Only long ones need to be counted.
    if (text.length * 3 <= most || Buffer.byteLength(text) <= most) return
    refuse(bound, new StanzaError('policy-violation', `Rooms here take ${most} bytes at once.`))
  }

  function keeps(paces: Paces, who: Jid, bound: Bound, what: string): void {
    if (paces.admit(who.bare.toString())) return
    refuse(bound, new StanzaError('resource-constraint', `Too many ${what} in a short time: wait a while.`))
  }

  /** XEP-0045 §7.2: of whom the server wants to hear nothing. */
  function requireWelcome({ domain }: Jid): void {
    const refusal = host.refusal(domain)
    if (refusal !== undefined) throw new StanzaError('forbidden', refusal)
  }

  function speaks(room: Room, who: Jid, stanza: Stanza): void {
    fits(stanza, settings.messageSize, 'room_message_size')
    keeps(pacesOf(room).messages, who, 'room_occupant_rate', 'messages')
  }

  return {
    name: 'limits',
    entering({ room, from, stanza }) {
      requireWelcome(from)
      fits(stanza, settings.presenceSize, 'room_presence_size')
      keeps(pacesOf(room).presence, from, 'room_presence_rate', 'changes of presence')
    },
    updating({ jid, occupant: { room } }, presence) {
      fits(presence, settings.presenceSize, 'room_presence_size')
      keeps(pacesOf(room).presence, jid, 'room_presence_rate', 'changes of presence')
    },
    renaming({ room, client: { jid } }) {
      keeps(pacesOf(room).nicks, jid, 'room_nick_rate', 'nicknames')
    },
    speaking({ room, occupant: { account }, stanza }) {
      speaks(room, account, stanza)
      if (pacesOf(room).all.admit(1)) return
      refuse(
        'room_rate',
        new StanzaError('resource-constraint', 'Too much is said in this room at once: wait a moment.'),
      )
    },
    mail({ room, stanza }) {
      speaks(room, stanza.from, stanza)
      return false
    },
    whisper({ room, stanza }) {
      speaks(room, stanza.from, stanza)
      return false
    },
  }
}
