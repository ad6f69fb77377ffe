/** Tells app servers: at once when it is time, together what comes too soon, and again later what failed. */
import { newsOf, notification, outcomeOf, type Content, type News, type Outcome } from './notification.js'
import { Lanes } from './lanes.js'
import type { Registration, Registrations } from './registrations.js'
import type { Worth } from './worth.js'
import type { Timer } from '../../base/clock.js'
import { Lru } from '../../base/lru.js'
import type { Counter } from '../../base/metrics.js'
import type { Host } from '../../host/host.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import type { Stanza } from '../../stanza/stanza.js'

export interface NotifierOptions extends Content {
  /** Milliseconds between two notifications of one device; calls do not wait for it. */
  readonly interval: number
  /** Devices that are remembered while they are away. Default 20,000. */
  readonly devices?: number
}

/** Milliseconds between two calls that one device is told of. */
const callInterval = 1000

/** Milliseconds until an answer is given up: longer than another server is tried for an iq. */
const patience = 70_000

/** After the first failure in a row; it doubles. */
const firstRetry = 60_000
const longestRetry = 6 * 3_600_000
/** Failures in a row that end a registration: after about three days. */
const lastFailure = 20

/** Requests under way at once to one app server. */
const laneWidth = 100

/** A device that is away and has been told something, or will be. */
interface Device {
  readonly account: Jid
  registration: Registration
  /** What woke it already, or will. */
  readonly told: WeakSet<Stanza>
  /** Messages since it was here. */
  count: number
  /** The last of the news that it was not told. */
  latest: News | undefined
  urgent: boolean
  /** Clock times before which it is told of no messages, and of no calls. */
  nextAt: number
  nextCallAt: number
  timer: Timer | undefined
  /** It is told something now, or waits for its turn. */
  busy: boolean
  /** It is back, or not to be told any more. */
  over: boolean
}

export class Notifier {
  readonly #host: Host
  readonly #options: NotifierOptions
  readonly #registrations: Registrations
  readonly #devices: Lru<string, Device>
  /** Before when those that came back are told of no messages: to come and go is no way around the interval. */
  readonly #paced: Lru<string, number>
  readonly #results: Readonly<Record<Outcome, Counter>>
  readonly #merged: Counter
  readonly #lanes: Lanes
  #stopped = false

  constructor(host: Host, registrations: Registrations, options: NotifierOptions) {
    this.#host = host
    this.#options = options
    this.#registrations = registrations
    const devices = options.devices ?? 20_000
    this.#devices = new Lru(devices)
    this.#paced = new Lru(devices)
    this.#lanes = new Lanes(laneWidth, devices)
    const results = host.counters('push_total', 'Notifications published to app servers, by how they went', [
      'result',
    ])
    this.#results = {
      accepted: results.of('accepted'),
      refused: results.of('refused'),
      failed: results.of('failed'),
    }
    this.#merged = host.counter('push_merged_total', 'News for devices that were told together with others')
  }

  /** Tells the device of the registration, now or with what comes later. The same stanza counts once. */
  wake(account: Jid, registration: Registration, stanza: Stanza, worth: Worth): void {
    if (this.#stopped) return
    const device = this.#deviceOf(account, registration)
    if (device.told.has(stanza)) return
    device.told.add(stanza)
    if (worth === 'message') device.count++
    if (device.latest) this.#merged.add()
    // A call among messages is what the device must know of.
    if (worth === 'call' || !device.urgent) device.latest = newsOf(stanza, this.#options)
    if (worth === 'call') device.urgent = true
    this.#plan(device)
  }

  /** Whether the device was told of something since it left, or will be. */
  hasTold(local: string, registration: Registration): boolean {
    return this.#devices.get(keyOf(local, registration)) !== undefined
  }

  /** The device is here and sees for itself. */
  isBack(local: string, registration: Registration): void {
    const key = keyOf(local, registration)
    const device = this.#devices.get(key)
    if (!device) return
    this.#devices.delete(key)
    if (device.nextAt > this.#host.clock.now()) this.#paced.set(key, device.nextAt)
    forget(device)
  }

  stop(): void {
    this.#stopped = true
    for (const device of this.#devices.values()) forget(device)
    this.#devices.clear()
  }

  #deviceOf(account: Jid, registration: Registration): Device {
    const key = keyOf(account.local, registration)
    const known = this.#devices.get(key)
    if (known) {
      known.registration = registration
      return known
    }
    const device: Device = {
      account,
      registration,
      told: new WeakSet(),
      count: 0,
      latest: undefined,
      urgent: false,
      nextAt: this.#paced.get(key) ?? 0,
      nextCallAt: 0,
      timer: undefined,
      busy: false,
      over: false,
    }
    const forgotten = this.#devices.set(key, device)
    if (forgotten) {
      this.#host.hits.add('push_devices')
      forget(forgotten)
    }
    return device
  }

  /** Sees to it that the device is told of its news when it is time. */
  #plan(device: Device): void {
    device.timer?.cancel()
    device.timer = undefined
    if (device.over || device.busy || !device.latest) return
    const { clock } = this.#host
    const due = Math.max(device.registration.retryAt ?? 0, device.urgent ? device.nextCallAt : device.nextAt)
    const wait = due - clock.now()
    if (wait <= 0) return this.#queue(device)
    device.timer = clock.after(wait, () => {
      device.timer = undefined
      this.#queue(device)
    })
  }

  #queue(device: Device): void {
    const { urgent } = device
    device.busy = true
    const run = () => (device.over ? Promise.resolve() : this.#tell(device))
    if (this.#lanes.add(device.registration.jid, { urgent, run })) return
    this.#host.hits.add('push_devices')
    device.busy = false
  }

  async #tell(device: Device): Promise<void> {
    const { account, registration, count, latest: news, urgent } = device
    if (!news) return
    device.latest = undefined
    device.urgent = false
    const now = this.#host.clock.now()
    device.nextAt = now + this.#options.interval
    if (urgent) device.nextCallAt = now + callInterval
    const { outcome, condition } = await this.#publish(registration, news, count)
    this.#results[outcome].add()
    device.busy = false
    try {
      if (outcome === 'accepted') await this.#succeeded(device)
      else if (outcome === 'refused') await this.#ended(account, registration, condition)
      else await this.#failed(device, news, condition)
    } catch (error) {
      this.#host.log.warn('push.failed', { user: account.toString(), error })
    }
    this.#plan(device)
  }

  async #publish(
    registration: Registration,
    news: News,
    count: number,
  ): Promise<ReturnType<typeof outcomeOf>> {
    const host = this.#host
    try {
      return outcomeOf(await host.ask(notification(host, registration, news, count, this.#options), patience))
    } catch (error) {
      if (!(error instanceof StanzaError)) host.log.error('push.crashed', { error })
      return { outcome: 'failed', condition: error instanceof StanzaError ? error.condition : 'internal' }
    }
  }

  async #succeeded(device: Device): Promise<void> {
    const { registration, account } = device
    if (registration.failures === undefined) return
    device.registration = { ...registration, failures: undefined, retryAt: undefined }
    await this.#registrations.note(account.local, registration, undefined)
  }

  /** XEP-0357 §7.1: tried again later, less and less often, and in the end no more. */
  async #failed(device: Device, news: News, condition = 'undefined-condition'): Promise<void> {
    const { registration, account } = device
    const failures = (registration.failures ?? 0) + 1
    if (failures >= lastFailure) return this.#ended(account, registration, condition)
    const retryAt = this.#host.clock.now() + Math.min(firstRetry * 2 ** (failures - 1), longestRetry)
    device.registration = { ...registration, failures, retryAt }
    device.latest ??= news
    await this.#registrations.note(account.local, registration, failures, retryAt)
  }

  /** XEP-0357 §7.1: an app server that wants no more of it gets no more. */
  async #ended(account: Jid, registration: Registration, condition = 'undefined-condition'): Promise<void> {
    this.isBack(account.local, registration)
    this.#host.log.info('push.disabled', {
      user: account.toString(),
      peer: registration.jid,
      reason: condition,
    })
    await this.#registrations.remove(account.local, registration)
  }
}

function forget(device: Device): void {
  device.over = true
  device.timer?.cancel()
}

function keyOf(local: string, { jid, node }: Registration): string {
  return `${local} ${jid} ${node ?? ''}`
}
