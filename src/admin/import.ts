/** XEP-0227: accounts read from files, element by element, and given to those who keep such things. */
import { CommandError } from '../host/command.js'
import { PORTION, type Portable } from '../host/module.js'
import { JidError, prepareDomain, prepareLocal } from '../stanza/jid.js'
import { parseMoment } from '../stanza/delay.js'
import type { Account, AccountKeys, ScramHash } from '../storage/accounts.js'
import { Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { Parser, XmlFault, type ParserLimits, type RawElement, type StreamHeader } from '../xml/parser.js'

/** What is done with what a file holds. */
export interface Destination {
  /** What the modules of a served domain take; undefined when it is not served here. */
  portable(domain: string): readonly Portable[] | undefined
  /** The account of that name, made with these keys when there is none; `at` in milliseconds since 1970, or now. */
  account(domain: string, local: string, keys: AccountKeys, at: number | undefined): Promise<Taken>
  setKeys(account: Account, keys: AccountKeys): Promise<void>
  /** Rejects with CommandError when it can be none. */
  setPassword(account: Account, password: string): Promise<void>
  disable(account: Account, reason: string, at: number): Promise<void>
  /** A file beside the first one, in pieces. Throws CommandError. */
  open(file: string): AsyncIterable<Buffer>
}

export interface Taken {
  readonly account: Account
  readonly isNew: boolean
}

export interface ImportReport {
  /** Accounts that were made, and those that were there. */
  made: number
  there: number
  /** By name. */
  readonly elements: Map<string, number>
  /** `file:12: what could not be taken`, the first of them. */
  readonly problems: string[]
  problemCount: number
}

/** Of one element; larger ones are left out, or end the import when they are more than twice as large. */
const limits: ParserLimits = {
  bytes: 16 << 20,
  depth: 256,
  elements: 200_000,
  attributes: 1_000,
  namespaces: 1_000,
}
/** Bytes of elements that wait to be stored together. */
const PORTION_BYTES = 1 << 20
const MOST_PROBLEMS = 1_000
/** Of imported keys: each check of a password in plain text costs this much, about a second with as many. */
const MOST_ITERATIONS = 1_000_000
const LONGEST_SALT = 256
/** Files within files. */
const MOST_FILES = 4

/**
 * What is there already stays, so that a second import of the same file changes nothing. With `dry` nothing is stored.
 * Rejects with CommandError where a file is broken: what came before is imported.
 */
export async function importFiles(
  file: string,
  destination: Destination,
  { dry }: { dry: boolean },
): Promise<ImportReport> {
  const reading = new Reading(destination, dry)
  await reading.file(file)
  return reading.report
}

/** Where in the file the next element stands; the deepest last. */
type Place =
  | { readonly kind: 'data' }
  | { readonly kind: 'host'; readonly domain: string | undefined }
  | { readonly kind: 'user'; readonly user: User | undefined }
  | { readonly kind: 'part'; readonly part: Portable; readonly user: User }
  | { readonly kind: 'inner'; readonly part: Portable; readonly user: User; readonly start: StreamHeader }
  /** What nobody here takes, and may be large. */
  | { readonly kind: 'skipped' }

interface User {
  readonly domain: string
  readonly local: string
  /** Where in which file it begins. */
  readonly at: string
  readonly password: string | undefined
  readonly parts: readonly Portable[]
  keys: AccountKeys
  /** Milliseconds since 1970. */
  created: number | undefined
  disabled: { readonly reason: string; readonly at: number } | undefined
  /** Once something of it was stored. */
  taken: Taken | undefined
}

interface Waiting {
  readonly part: Portable
  readonly account: Account
  readonly elements: Element[]
  readonly lines: string[]
  bytes: number
}

class Reading {
  readonly report: ImportReport = { made: 0, there: 0, elements: new Map(), problems: [], problemCount: 0 }
  readonly #destination: Destination
  readonly #dry: boolean
  readonly #places: Place[] = []
  /** Files that are open, the innermost last. */
  readonly #files: string[] = []
  #waiting: Waiting | undefined

  constructor(destination: Destination, dry: boolean) {
    this.#destination = destination
    this.#dry = dry
  }

  async file(name: string): Promise<void> {
    if (this.#files.length === MOST_FILES)
      throw new CommandError(`${name}: more than ${MOST_FILES} files include each other`)
    this.#files.push(name)
    const parser = new Parser(limits, 'document', (header) => this.#isContainer(header))
    const depth = this.#places.length
    let line = 1
    try {
      for await (const chunk of this.#destination.open(name)) {
        parser.push(chunk)
        for (;;) {
          const before = () => line + linesIn(chunk, chunk.length - Math.min(chunk.length, parser.unread))
          const parsed = this.#next(parser, before)
          if (!parsed) break
          if (parsed.what === 'open') await this.#open(parsed.header, `${name}:${before()}`)
          else if (parsed.what === 'close') await this.#close()
          else if (parsed.what === 'element' || parsed.what === 'oversize') {
            const { element } = parsed
            const place = `${name}:${before() - linesIn(Buffer.from(element.inner), Infinity)}`
            if (parsed.what === 'element') await this.#element(element, place)
            else this.#problem(place, `<${element.name}/> is larger than ${limits.bytes >> 20} MiB`)
          }
        }
        line += linesIn(chunk, chunk.length)
      }
    } finally {
      this.#files.pop()
    }
    if (parser.pending > 0 || this.#places.length > depth)
      throw new CommandError(`${name}:${line}: the file ends too early`, stopped)
  }

  #next(parser: Parser, line: () => number): ReturnType<Parser['next']> {
    try {
      return parser.next()
    } catch (error) {
      if (!(error instanceof XmlFault)) throw error
      throw new CommandError(
        `${this.#files.at(-1)}:${line()}: ${error.message} (${error.condition})`,
        stopped,
      )
    }
  }

  /** Whether the children of an element come one by one. */
  #isContainer({ local, ns }: StreamHeader): boolean {
    const place = this.#places.at(-1)
    if (!place) return ns === NS.portable && local === 'server-data'
    if (place.kind === 'data') return ns === NS.portable && local === 'host'
    if (place.kind === 'host') return ns === NS.portable && local === 'user'
    if (place.kind === 'user') {
      const part = partOf(place.user, local, ns)
      return part ? part.depth > 0 : containers.has(`${ns} ${local}`)
    }
    return place.kind === 'part' && place.part.depth === 2
  }

  async #open(header: StreamHeader, at: string): Promise<void> {
    const place = this.#places.at(-1)
    if (!place) this.#places.push({ kind: 'data' })
    else if (place.kind === 'data')
      this.#places.push({ kind: 'host', domain: this.#domain(header.attrs, at) })
    else if (place.kind === 'host')
      this.#places.push({ kind: 'user', user: this.#user(place.domain, header.attrs, at) })
    else if (place.kind === 'user') {
      const part = partOf(place.user, header.local, header.ns)
      if (!part && place.user) this.#unknown(header.local, header.ns, at)
      this.#places.push(part ? { kind: 'part', part, user: place.user! } : { kind: 'skipped' })
    } else if (place.kind === 'part') this.#places.push({ ...place, kind: 'inner', start: header })
  }

  async #close(): Promise<void> {
    const place = this.#places.pop()
    if (place?.kind === 'part') await this.#flush()
    if (place?.kind === 'user' && place.user) await this.#finish(place.user)
  }

  async #element(raw: RawElement, at: string): Promise<void> {
    const place = this.#places.at(-1)
    const { name, ns } = raw
    const isShallow = !place || place.kind === 'data' || place.kind === 'host' || place.kind === 'user'
    // XEP-0227 §5: further down it belongs to somebody's data.
    if (isShallow && place && name === 'include' && ns === NS.include) return this.#include(raw, at)
    if (!place) {
      const isEmpty = name === 'server-data' && ns === NS.portable
      if (!isEmpty)
        throw new CommandError(`${at}: this is no file of XEP-0227: its root is <${name} xmlns='${ns}'>`)
    } else if (place.kind === 'data' || place.kind === 'host') {
      // An empty one: what is a container has come open.
      const isKnown = ns === NS.portable && name === (place.kind === 'data' ? 'host' : 'user')
      if (!isKnown) this.#unknown(name, ns, at)
      else if (place.kind === 'host') {
        const user = this.#user(place.domain, raw.attrs, at)
        if (user) await this.#finish(user)
      } else this.#domain(raw.attrs, at)
    } else if (place.kind === 'user') await this.#ofUser(place.user, raw, at)
    else if (place.kind !== 'skipped') {
      const element = raw.toElement()
      const wrapped = place.kind === 'inner' ? within(place.start, element) : element
      await this.#take(place.part, place.user, wrapped, raw.bytes, at)
    }
  }

  async #include(raw: RawElement, at: string): Promise<void> {
    const { href, parse, xpointer } = raw.attrs
    if (href === undefined || parse !== undefined || xpointer !== undefined)
      return this.#problem(at, 'an include needs an href, and nothing else')
    await this.file(href)
  }

  #domain({ jid }: Readonly<Record<string, string>>, at: string): string | undefined {
    let domain: string | undefined
    try {
      domain = jid === undefined ? undefined : prepareDomain(jid)
    } catch (error) {
      if (!(error instanceof JidError)) throw error
    }
    if (domain !== undefined && this.#destination.portable(domain)) return domain
    this.#problem(at, `the domain ${jid ?? '(none)'} is not served here: its accounts are left out`)
    return undefined
  }

  #user(
    domain: string | undefined,
    { name = '', password }: Readonly<Record<string, string>>,
    at: string,
  ): User | undefined {
    const parts = domain === undefined ? undefined : this.#destination.portable(domain)
    if (domain === undefined || !parts) return undefined
    try {
      const local = prepareLocal(name)
      const nothing = { keys: {}, created: undefined, disabled: undefined, taken: undefined }
      return { domain, local, at, password, parts, ...nothing }
    } catch (error) {
      if (!(error instanceof JidError)) throw error
      this.#problem(at, `no account can have the name "${name}"`)
      return undefined
    }
  }

  /** Made with what is known of it by now. */
  async #taken(user: User): Promise<Taken> {
    if (user.taken) return user.taken
    const { domain, local, keys, created, disabled } = user
    const taken = await this.#destination.account(domain, local, keys, created)
    user.taken = taken
    if (taken.isNew) this.report.made++
    else this.report.there++
    if (taken.isNew && disabled) await this.#destination.disable(taken.account, disabled.reason, disabled.at)
    return taken
  }

  /** All of an account has been read: what proves its password counts now, unless there was something before. */
  async #finish(user: User): Promise<void> {
    const { account, isNew } = await this.#taken(user)
    const { keys, password, local, at } = user
    const isOpen = Object.keys(account.keys).length === 0
    if (isOpen && Object.keys(keys).length > 0) return this.#destination.setKeys(account, keys)
    if (!isOpen || password === undefined) {
      if (isNew && isOpen) this.#problem(at, `${local} has no password: parley user passwd ${local}`)
      return
    }
    try {
      await this.#destination.setPassword(account, password)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      this.#problem(at, `the password of ${local} cannot be used: ${error.message}`)
    }
  }

  async #ofUser(user: User | undefined, raw: RawElement, at: string): Promise<void> {
    if (!user) return
    const { name, ns } = raw
    if (name === 'scram-credentials' && ns === NS.portableScram) return this.#credentials(user, raw, at)
    if (name === 'account' && ns === NS.ownPortable) return facts(user, raw)
    const part = partOf(user, name, ns)
    if (!part) return this.#unknown(name, ns, at)
    // An empty container holds nothing.
    if (part.depth > 0) return
    await this.#take(part, user, raw.toElement(), raw.bytes, at)
    await this.#flush()
  }

  /** XEP-0227 §4.3. */
  #credentials(user: User, raw: RawElement, at: string): void {
    const element = raw.toElement()
    const { mechanism = '' } = element.attrs as Record<string, string>
    const hash = /^SCRAM-(SHA-1|SHA-256|SHA-512)$/.exec(mechanism)?.[1] as ScramHash | undefined
    if (!hash) return this.#problem(at, `credentials for ${mechanism || 'no mechanism'} are not known here`)
    if (user.keys[hash]) return this.#problem(at, `there are two credentials for ${mechanism}`)
    const text = (name: string) => element.child(name, NS.portableScram)?.text.trim() ?? ''
    const iterations = /^[1-9]\d{0,8}$/.test(text('iter-count')) ? Number(text('iter-count')) : 0
    const size = { 'SHA-1': 20, 'SHA-256': 32, 'SHA-512': 64 }[hash]
    const [salt, serverKey, storedKey] = ['salt', 'server-key', 'stored-key'].map((name) =>
      bytesOf(text(name)),
    )
    if (iterations === 0 || !salt?.length || serverKey?.length !== size || storedKey?.length !== size)
      return this.#problem(at, `the credentials for ${mechanism} are broken`)
    if (iterations > MOST_ITERATIONS || salt.length > LONGEST_SALT)
      return this.#problem(at, `the credentials for ${mechanism} would take too long to check`)
    user.keys = { ...user.keys, [hash]: { salt, iterations, serverKey, storedKey } }
  }

  async #take(part: Portable, user: User, element: Element, bytes: number, at: string): Promise<void> {
    const { account } = await this.#taken(user)
    const waiting = (this.#waiting ??= { part, account, elements: [], lines: [], bytes: 0 })
    waiting.elements.push(element)
    waiting.lines.push(at)
    waiting.bytes += bytes
    if (waiting.elements.length === PORTION || waiting.bytes > PORTION_BYTES) await this.#flush()
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (!waiting) return
    const { part, account, elements, lines } = waiting
    const unfit = (this.#dry ? undefined : await part.import(account, elements)) ?? []
    for (const { index, reason } of unfit) this.#problem(lines[index]!, reason)
    const taken = elements.length - unfit.length
    if (taken === 0) return
    const name = part.depth === 0 ? part.name : elements[0]!.local
    this.report.elements.set(name, (this.report.elements.get(name) ?? 0) + taken)
  }

  #unknown(name: string, ns: string, at: string): void {
    this.#problem(at, `<${name} xmlns='${ns}'/> is not understood here: left out`)
  }

  #problem(at: string, what: string): void {
    this.report.problemCount++
    if (this.report.problems.length < MOST_PROBLEMS) this.report.problems.push(`${at}: ${what}`)
  }
}

const stopped = 'what came before is imported; correct the file and import it again'

const partOf = (user: User | undefined, name: string, ns: string) =>
  user?.parts.find((part) => part.name === name && part.ns === ns)

/** What else the server itself keeps. */
function facts(user: User, { attrs }: RawElement): void {
  user.created = parseMoment(attrs['created'] ?? '')
  const at = parseMoment(attrs['disabled'] ?? '')
  user.disabled = at === undefined ? undefined : { reason: attrs['reason'] ?? '', at }
}

/** What XEP-0227 lets grow beyond any bound, whether somebody takes it here or not. */
const containers: ReadonlySet<string> = new Set([
  `${NS.portable} offline-messages`,
  `${NS.portableArchive} archive`,
  `${NS.roster} query`,
  `${NS.privateXml} query`,
  'http://jabber.org/protocol/pubsub pubsub',
  'http://jabber.org/protocol/pubsub#owner pubsub',
])

/** The element in a copy of its parent's start tag. */
function within(start: StreamHeader, element: Element): Element {
  const parent = new Element(start.local, { xmlns: start.ns, ...start.attrs })
  parent.append(element)
  return parent
}

function bytesOf(base64: string): Buffer | undefined {
  const text = base64.replaceAll(/\s/g, '')
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

/** Ends of lines among the first bytes. */
function linesIn(bytes: Buffer, length: number): number {
  let lines = 0
  for (let at = bytes.indexOf(10); at >= 0 && at < length; at = bytes.indexOf(10, at + 1)) lines++
  return lines
}
