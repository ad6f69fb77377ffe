/** XEP-0377: what people report of those they block, kept for the admin. */
import { Lru } from '../../base/lru.js'
import { TokenBucket } from '../../base/rate.js'
import type { Rate } from '../../base/schema.js'
import { Turns } from '../../base/turns.js'
import { option, options, required, Misfit } from '../../base/schema.js'
import { command, CommandError, type AnyCommand } from '../../host/command.js'
import type { Host } from '../../host/host.js'
import type { Jid } from '../../stanza/jid.js'
import type { MapStore } from '../../storage/stores.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

export interface Report {
  /** Names it among those that are kept: 1, 2, 3 … */
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  /** Bare JID of who reports. */
  readonly by: string
  /** Who is reported and blocked. */
  readonly jid: string
  /** `spam`, `abuse`, or another reason as it was given. */
  readonly reason: string
  readonly text: string
  /** The messages in question: ids in the archive `by` which they were given (XEP-0359). */
  readonly stanzas: readonly { readonly by: string; readonly id: string }[]
}

/** What is read of a report. */
export type Claim = Pick<Report, 'jid' | 'reason' | 'text' | 'stanzas'>

interface Kept {
  readonly last: number
  readonly reports: readonly Report[]
}

/** Characters of a text and of an attribute that are kept, and messages that one report names. */
const longestText = 1_000
const longestName = 200
const mostStanzas = 20
/** Accounts whose reports are counted; the one that has reported nothing for longest is forgotten first. */
const mostReporters = 10_000
/** The one key: it belongs to no account, so that a report outlives who made it. */
const key = ' reports'
const reasonPrefix = 'urn:xmpp:reporting:'

/** The report in an `<item/>` of a `<block/>`; undefined when there is none, or none with a reason (XEP-0377 §4). */
export function claimIn(item: Element, jid: Jid): Claim | undefined {
  const report = item.child('report', NS.reporting)
  const given = report?.attrs['reason']
  if (!report || !given) return undefined
  const short = (name: string) => name.slice(0, longestName)
  const stanzas = report
    .childrenOf('stanza-id', NS.stanzaIds)
    .slice(0, mostStanzas)
    .map(({ attrs }) => ({ by: short(attrs['by'] ?? ''), id: short(attrs['id'] ?? '') }))
  const reason = given.startsWith(reasonPrefix) ? given.slice(reasonPrefix.length) : given
  const text = report.child('text', NS.reporting)?.text.trim() ?? ''
  return { jid: jid.toString(), reason: short(reason), text: text.slice(0, longestText), stanzas }
}

/** A report in words. */
export function inWords({ by, jid, reason, text, stanzas }: Omit<Report, 'id' | 'at'>): string {
  const named = stanzas.map(({ by: archive, id }) => `Message ${id} of ${archive}`)
  return [`${by} reports ${jid} for ${reason}`, ...(text ? [text] : []), ...named].join('\n')
}

export class Reports {
  readonly #host: Host
  readonly #store: MapStore<Kept>
  readonly #turns = new Turns()
  readonly #pace: Rate
  readonly #most: number
  readonly #paces = new Lru<string, TokenBucket>(mostReporters)

  /** `most` reports are kept, the oldest is dropped for a new one; an account may report at this pace. */
  constructor(host: Host, { most, pace }: { most: number; pace: Rate }) {
    this.#host = host
    this.#store = host.map<Kept>('reports')
    this.#most = most
    this.#pace = pace
  }

  /** False: the account has reported too much. Rejects with StorageUnavailable. */
  async add(by: Jid, claim: Claim): Promise<boolean> {
    if (!this.#mayReport(by)) {
      this.#host.hits.add('reports')
      return false
    }
    await this.#change(({ last, reports }) => {
      const report = { id: last + 1, at: this.#host.clock.now(), by: by.bare.toString(), ...claim }
      return { last: report.id, reports: [...reports, report].slice(-this.#most) }
    })
    return true
  }

  async list(): Promise<readonly Report[]> {
    return (await this.#store.get(key))?.reports ?? []
  }

  /** False: there is no such report. */
  async remove(id: number): Promise<boolean> {
    let found = false
    await this.#change((kept) => {
      found = kept.reports.some((report) => report.id === id)
      return { ...kept, reports: kept.reports.filter((report) => report.id !== id) }
    })
    return found
  }

  #change(next: (kept: Kept) => Kept): Promise<void> {
    return this.#turns.take(key, async () => {
      await this.#store.set(key, next((await this.#store.get(key)) ?? { last: 0, reports: [] }))
    })
  }

  #mayReport({ local }: Jid): boolean {
    const { count, per } = this.#pace
    if (!Number.isFinite(count)) return true
    const bucket = this.#paces.get(local) ?? new TokenBucket((count * 1000) / per, count, this.#host.clock)
    this.#paces.set(local, bucket)
    return bucket.admit(1)
  }

  /** What the admin can do with them. */
  get commands(): readonly AnyCommand[] {
    return [
      command('reports list', 'operator', 'Whom people have reported as spam or abuse', options({}), () =>
        this.#listed(),
      ),
      command(
        'reports remove',
        'admin',
        'Remove a report that has been dealt with',
        options({ id: reportId }),
        async ({ id }) => {
          if (await this.remove(id)) return `Report ${id} is removed.`
          throw new CommandError(`There is no report ${id}.`, 'See: parley reports list')
        },
      ),
    ]
  }

  async #listed() {
    const reports = await this.list()
    if (reports.length === 0) return { data: [], text: 'There are no reports.' }
    return {
      data: reports.map((report) => ({ ...report, at: new Date(report.at).toISOString() })),
      table: {
        columns: ['id', 'at', 'by', 'reported', 'reason', 'text', 'messages'],
        rows: reports.map(({ id, at, by, jid, reason, text, stanzas }) => {
          const messages = stanzas.map((stanza) => `${stanza.id} by ${stanza.by}`).join(', ')
          return [String(id), new Date(at).toISOString(), by, jid, reason, text, messages]
        }),
      },
    }
  }
}

const reportId = option<number>({
  kind: 'number',
  doc: 'the id that `parley reports list` shows',
  fallback: required,
  reload: 'applied',
  expects: 'the id of a report',
  parse(raw) {
    const id = Number(raw)
    if (!Number.isSafeInteger(id) || id < 1) throw new Misfit('is not the id of a report')
    return id
  },
})
