/** The certificates of all domains: examined, chosen by server name, and taken up anew when their files change. */
import { constants } from 'node:crypto'
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { SecureContextOptions } from 'node:tls'
import { domainToASCII } from 'node:url'
import type { X509Certificate } from 'node:crypto'
import type { Clock, Timer } from '../base/clock.js'
import type { Log } from '../base/log.js'
import { Lru } from '../base/lru.js'
import type { Counter, Metrics } from '../base/metrics.js'
import type { Random } from '../base/random.js'
import { endPointHash } from '../sasl/channel-binding.js'
import { examine, namesDomain, namesOf } from './examine.js'
import { makeSelfSigned } from './self-signed.js'

/** A domain and where its certificate is. */
export interface CertificateSource {
  readonly domain: string
  /** Domains of services of it, which use the same one. */
  readonly services?: readonly string[]
  /** PEM files; both may be one file. Without, a self-signed certificate is made and kept in the data directory. */
  readonly files?: { readonly certificate: string; readonly key: string } | undefined
}

export interface CertificateOptions {
  readonly dataDirectory: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
}

/** What the admin may want to know of a domain's certificate. */
export interface CertificateFacts {
  readonly domain: string
  readonly selfSigned: boolean
  /** SHA-256 of the certificate in hexadecimal with colons, as clients show it. */
  readonly fingerprint: string
  /** Milliseconds since 1970 UTC. */
  readonly expires: number
  /** Holds the certificate; when it is self-signed, nothing else. */
  readonly file: string
  /** Its names, as they stand in it. */
  readonly names: readonly string[]
  /** As it is sent: in DER, the domain's own certificate first. */
  readonly chain: readonly Buffer[]
}

/** The files given for a domain cannot be used; the message has one line for each fault. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
}

const minute = 60_000
/** Several files change one after the other when a certificate is renewed. */
const settle = 500
const renewBefore = 30 * 86_400_000

export class Certificates {
  readonly #entries: Entry[] = []
  readonly #chosen = new Lru<string, Entry>(1000)
  readonly #watchers: FSWatcher[] = []
  readonly #failures: Counter
  #timer: Timer | undefined
  #soon: Timer | undefined
  #checking: Promise<void> | undefined
  #closed = false

  /**
   * Loads the certificates of all domains; the first is for clients that name none of them.
   * Rejects with `CertificateError` naming every fault of every domain. An expired one is used and complained about:
   * a server that comes back with it is better than one that does not come back.
   */
  static async open(
    sources: readonly CertificateSource[],
    options: CertificateOptions,
  ): Promise<Certificates> {
    const certificates = new Certificates(options)
    await certificates.#load(sources)
    certificates.#watch()
    return certificates
  }

  private constructor(private readonly options: CertificateOptions) {
    const { metrics } = options
    this.#failures = metrics.counter(
      'tls_certificate_reload_failures_total',
      'Changed certificate files that were not taken up because of a fault.',
    )
    metrics.watch(
      'tls_certificate_expiry_timestamp',
      'When the certificate of a domain expires, in seconds since 1970.',
      () => this.#entries.map((entry) => [[entry.domain], entry.current.facts.expires / 1000] as const),
      ['name'],
    )
  }

  get facts(): readonly CertificateFacts[] {
    return this.#entries.map((entry) => entry.current.facts)
  }

  /**
   * Key and certificate for a server name as the client sent it (SNI), or for a client that sent none. The same object
   * until the certificate is exchanged.
   */
  pairFor(serverName: string | undefined): KeyPair {
    return this.#choose(serverName).current.pair
  }

  /** Looks at all files now and takes up what changed. Never rejects: what is wrong is logged and the old one stays. */
  async check(): Promise<void> {
    this.#checking ??= this.#checkAll().finally(() => {
      this.#checking = undefined
    })
    await this.#checking
  }

  /** Stops looking at the files. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#soon?.cancel()
    for (const watcher of this.#watchers) watcher.close()
  }

  async #load(sources: readonly CertificateSource[]): Promise<void> {
    const { log } = this.options
    const faults: string[] = []
    for (const source of sources) {
      const entry = await Entry.load(source, this.options).catch((error: unknown) => {
        faults.push(messageOf(error))
      })
      if (!entry) continue
      this.#entries.push(entry)
      for (const complaint of entry.current.complaints)
        log.warn('tls.certificate.doubtful', { host: source.domain }, complaint)
    }
    if (faults.length > 0) throw new CertificateError(faults.join('\n'))
    if (this.#entries.length === 0) throw new CertificateError('there is no domain to have a certificate for')
  }

  #choose(serverName: string | undefined): Entry {
    const fallback = this.#entries[0]!
    if (serverName === undefined || this.#entries.length === 1) return fallback
    const name = serverName.toLowerCase()
    const known = this.#chosen.get(name)
    if (known) return known
    const entry =
      this.#entries.find((one) => one.asciiDomain === name) ??
      this.#entries.find((one) => namesDomain(one.current.own, name)) ??
      this.#entries.find((one) => one.asciiServices.includes(name)) ??
      fallback
    this.#chosen.set(name, entry)
    return entry
  }

  #watch(): void {
    this.#timer = this.options.clock.after(minute, () => {
      // Links that are turned over and mounted directories tell no watcher.
      void this.check().then(() => {
        if (!this.#closed) this.#watch()
      })
    })
    if (this.#watchers.length > 0) return
    const folders = new Set(this.#entries.flatMap((entry) => entry.files.map(dirname)))
    for (const folder of folders) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#checkSoon())
        watcher.on('error', () => watcher.close())
        this.#watchers.push(watcher)
      } catch {
        // No watches left on this machine: the look every minute does it.
      }
    }
  }

  #checkSoon(): void {
    if (this.#closed) return
    if (this.#soon) this.#soon.refresh()
    else
      this.#soon = this.options.clock.after(settle, () => {
        void this.check()
      })
  }

  async #checkAll(): Promise<void> {
    const { log } = this.options
    for (const entry of this.#entries) {
      try {
        if (!(await entry.renew())) continue
        this.#chosen.clear()
        const { expires, fingerprint } = entry.current.facts
        log.info('tls.certificate.reloaded', {
          host: entry.domain,
          expires: new Date(expires).toISOString(),
          fingerprint,
        })
      } catch (error) {
        this.#failures.add()
        for (const line of messageOf(error).split('\n'))
          log.error('tls.certificate.refused', { host: entry.domain }, `${line} (the old one stays in use)`)
      }
    }
  }
}

/** What a handshake needs, and what is known of the certificate that is sent in it. */
export interface KeyPair {
  readonly options: SecureContextOptions
  /** For the channel binding tls-server-end-point. */
  readonly endPoint: Buffer | undefined
}

/** A pair that passed the examination. */
interface Pair {
  readonly facts: CertificateFacts
  readonly own: X509Certificate
  readonly pair: KeyPair
  /** One line each about what clients may not like. */
  readonly complaints: readonly string[]
}

/** One domain's certificate: what is used now, and the state of the files it came from. */
class Entry {
  readonly asciiDomain: string
  readonly asciiServices: readonly string[]
  /** What the files looked like when they were read last. */
  #seen = ''
  /** The last fault told, so that the same one is not told every minute. */
  #told = ''

  private constructor(
    private readonly source: CertificateSource,
    private readonly options: CertificateOptions,
    /** The files to look at: two, or the one that is ours. */
    readonly files: readonly string[],
    public current: Pair,
  ) {
    this.asciiDomain = asciiName(source.domain)
    this.asciiServices = (source.services ?? []).map(asciiName)
  }

  static async load(source: CertificateSource, options: CertificateOptions): Promise<Entry> {
    const { files } = source
    const own = join(options.dataDirectory, 'tls', `${asciiName(source.domain)}.pem`)
    const list = files ? [files.certificate, files.key] : [own]
    const seen = await signature(list)
    const pair = files ? await readPair(source, options, 'start') : await keptOrMade(source, own, options)
    const entry = new Entry(source, options, list, pair)
    entry.#seen = files ? seen : await signature(list)
    return entry
  }

  get domain(): string {
    return this.source.domain
  }

  /** Takes up what changed: true when something did. Throws what is wrong with it, once for each new fault. */
  async renew(): Promise<boolean> {
    const seen = await signature(this.files)
    try {
      const changed = this.source.files ? await this.#reread(seen) : await this.#remake(seen)
      this.#told = ''
      return changed
    } catch (error) {
      // Tried again every minute: a clock may be set right, the second file may still come.
      const told = `${seen} ${messageOf(error)}`
      if (told === this.#told) return false
      this.#told = told
      throw error
    }
  }

  async #reread(seen: string): Promise<boolean> {
    if (seen === this.#seen) return false
    const before = this.current.facts.fingerprint
    this.current = await readPair(this.source, this.options, 'change')
    this.#seen = seen
    return this.current.facts.fingerprint !== before
  }

  async #remake(seen: string): Promise<boolean> {
    const due = this.current.facts.expires - this.options.clock.now() < renewBefore
    if (seen === this.#seen && !due) return false
    this.current = await keptOrMade(this.source, this.files[0]!, this.options)
    this.#seen = await signature(this.files)
    return true
  }
}

/** Reads and examines the files of a domain. At the start an expired certificate is better than none. */
async function readPair(
  { domain, services = [], files }: CertificateSource,
  { clock }: CertificateOptions,
  moment: 'start' | 'change',
): Promise<Pair> {
  const { certificate, key } = files!
  const certificatePem = await readText(certificate, domain)
  const keyPem = key === certificate ? certificatePem : await readText(key, domain)
  const found = examine(certificatePem, keyPem, domain, clock.now())
  const faults = moment === 'start' ? found.faults : [...found.faults, ...found.dated]
  const where = key === certificate ? certificate : `${certificate} and ${key}`
  const line = (fault: string) => `${domain}: ${where}: ${fault}`
  if (faults.length > 0) throw new CertificateError(faults.map(line).join('\n'))
  try {
    return makePair(domain, certificatePem, keyPem, found.chain, {
      file: certificate,
      complaints: [...found.dated, ...found.doubts, ...unnamed(found.chain[0], services)].map(line),
    })
  } catch (error) {
    throw new CertificateError(line(`OpenSSL does not take them: ${messageOf(error)}`), { cause: error })
  }
}

/** The self-signed certificate of a domain: the kept one, or a new one when there is none or it is soon to expire. */
async function keptOrMade(
  { domain, services = [] }: CertificateSource,
  file: string,
  options: CertificateOptions,
): Promise<Pair> {
  const { clock, random, log } = options
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new CertificateError(unreadable(domain, file, error), { cause: error })
  })
  if (kept !== undefined) {
    const { chain, faults: own } = examine(kept, kept, domain, clock.now())
    const faults = [...own, ...unnamed(chain[0], services)]
    const good = faults.length === 0 && Date.parse(chain[0]!.validTo) - clock.now() >= renewBefore
    if (good) return selfSignedPair(domain, file, kept, chain)
    const why = faults[0] ?? 'it is about to expire'
    log.warn(
      'tls.certificate.renewed',
      { host: domain },
      `${file}: a new self-signed certificate replaces it: ${why}`,
    )
  }
  const made = await makeSelfSigned([domain, ...services].map(asciiName), clock.now(), random)
  await keep(domain, file, made)
  return selfSignedPair(domain, file, made, examine(made, made, domain, clock.now()).chain)
}

/** Without these names other servers do not believe the services, unless dialback convinces them. */
function unnamed(own: X509Certificate | undefined, services: readonly string[]): string[] {
  return services
    .filter((service) => own && !namesDomain(own, service))
    .map((service) => `the certificate does not name ${service}, where a service answers`)
}

/** Beside the key and the certificate in `file` lies the certificate alone: that one is for people, who may hand it on. */
async function selfSignedPair(
  domain: string,
  file: string,
  pem: string,
  chain: readonly X509Certificate[],
): Promise<Pair> {
  const alone = file.replace(/\.pem$/, '.crt')
  const certificate = chain[0]!.toString()
  const there = await readFile(alone, 'utf8').catch(() => undefined)
  if (there !== certificate) await keep(domain, alone, certificate, 0o644)
  return makePair(domain, pem, pem, chain, { file: alone, complaints: [] })
}

async function keep(domain: string, file: string, text: string, mode = 0o600): Promise<void> {
  try {
    await writeAtomically(file, text, mode)
  } catch (error) {
    throw new CertificateError(
      `${domain}: cannot keep the self-signed certificate in ${file}: ${messageOf(error)}; make the data directory writable`,
      { cause: error },
    )
  }
}

function makePair(
  domain: string,
  cert: string,
  key: string,
  chain: readonly X509Certificate[],
  more: { file: string; complaints: readonly string[] },
): Pair {
  const own = chain[0]!
  const context: SecureContextOptions = { ...protocol, cert, key }
  // Throws what OpenSSL has against it, such as a key that is too short.
  createSecureContext(context)
  return {
    own,
    pair: { options: context, endPoint: endPointHash(own.raw) },
    complaints: more.complaints,
    facts: {
      domain,
      selfSigned: own.checkIssued(own),
      fingerprint: own.fingerprint256,
      expires: Date.parse(own.validTo),
      file: more.file,
      names: namesOf(own),
      chain: chain.map(({ raw }) => raw),
    },
  }
}

/** RFC 9325 §3.1 and §4.2: TLS 1.2 at least, forward secrecy and authenticated encryption only, no renegotiation. */
const protocol: SecureContextOptions = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  honorCipherOrder: true,
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
}

async function readText(file: string, domain: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new CertificateError(unreadable(domain, file, error as NodeJS.ErrnoException), { cause: error })
  }
}

function unreadable(domain: string, file: string, { code, message }: NodeJS.ErrnoException): string {
  const why =
    code === 'ENOENT'
      ? 'there is no such file; correct its name'
      : code === 'EACCES'
        ? 'this process may not read it; give its user or group the right to'
        : message
  return `${domain}: ${file}: ${why}`
}

/** What changes when a file does; a missing file has a look of its own. */
async function signature(files: readonly string[]): Promise<string> {
  const looks = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`,
        () => 'missing',
      ),
    ),
  )
  return looks.join(', ')
}

/** After a crash there is the old file or the new one, never half of it; nobody can read it whom `mode` does not let. */
async function writeAtomically(file: string, text: string, mode: number): Promise<void> {
  const folder = dirname(file)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const draft = `${file}.new`
  await unlink(draft).catch(() => {})
  const handle = await open(draft, 'wx', 0o600)
  try {
    // Not by opening: the process keeps what it writes to itself.
    await handle.chmod(mode)
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}

function asciiName(domain: string): string {
  return domainToASCII(domain) || domain
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
