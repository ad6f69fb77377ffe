/** Which authorities are trusted for other servers: the public ones and those of the admin. */
import { readFile } from 'node:fs/promises'
import * as tls from 'node:tls'
import { Certificate } from './x509.js'

/** The file of authorities cannot be used; the message is one line that names the file and the fix. */
export class TrustError extends Error {
  override readonly name = 'TrustError'
}

export class TrustStore {
  #own: Anchors
  /** Read when first needed: most streams of a small server never get here. */
  #public: Anchors | undefined

  private constructor(own: readonly Certificate[], others: Anchors | undefined) {
    this.#own = new Anchors(own)
    this.#public = others
  }

  /**
   * The authorities that Node brings along, those of the system where Node can read them, and those of `caFile`.
   * Rejects with `TrustError`.
   */
  static async open(caFile?: string): Promise<TrustStore> {
    return new TrustStore(caFile === undefined ? [] : await readAuthorities(caFile), undefined)
  }

  /** The authorities of this file and no others, which `setting` names. Rejects with `TrustError`. */
  static async only(file: string, setting: string): Promise<TrustStore> {
    return new TrustStore(await readAuthorities(file, setting), new Anchors([]))
  }

  /** These and no others; each may also be the certificate of a server itself. In DER. */
  static of(...anchors: readonly Buffer[]): TrustStore {
    return new TrustStore(
      anchors.map((der) => new Certificate(der)),
      new Anchors([]),
    )
  }

  /** Takes up `caFile` anew. Rejects with `TrustError`; all stays as it was then. */
  async reload(caFile?: string): Promise<void> {
    this.#own = new Anchors(caFile === undefined ? [] : await readAuthorities(caFile))
  }

  /** Anchors with this distinguished name. */
  named(subject: Buffer): readonly Certificate[] {
    return [...this.#own.named(subject), ...this.#others.named(subject)]
  }

  /** Whether this very certificate is an anchor. */
  holds(certificate: Certificate): boolean {
    return this.named(certificate.subject).some(({ der }) => der.equals(certificate.der))
  }

  get #others(): Anchors {
    this.#public ??= new Anchors(publicAuthorities())
    return this.#public
  }
}

class Anchors {
  readonly #bySubject = new Map<string, Certificate[]>()

  constructor(certificates: readonly Certificate[]) {
    for (const certificate of certificates) {
      const key = certificate.subject.toString('latin1')
      const there = this.#bySubject.get(key)
      if (there) there.push(certificate)
      else this.#bySubject.set(key, [certificate])
    }
  }

  named(subject: Buffer): readonly Certificate[] {
    return this.#bySubject.get(subject.toString('latin1')) ?? []
  }
}

/** Also those of the system and of NODE_EXTRA_CA_CERTS, where Node tells them (since 22.15). */
function publicAuthorities(): Certificate[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'system' | 'extra') => readonly string[] }
  const texts = new Set([
    ...tls.rootCertificates,
    ...(getCACertificates ? [...getCACertificates('system'), ...getCACertificates('extra')] : []),
  ])
  return [...texts].flatMap((text) => {
    try {
      return blocksOf(text).map((der) => new Certificate(der))
    } catch {
      // The stores of systems hold strange things; those are trusted by nobody then.
      return []
    }
  })
}

/** The certificates of a file of authorities. Rejects with `TrustError`. */
export async function readAuthorities(file: string, setting = 's2s.ca_file'): Promise<Certificate[]> {
  const fault = (what: string, cause?: unknown) => new TrustError(`${file}: ${what}`, { cause })
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw fault(whyUnreadable(error, setting), error)
  })
  const found = blocksOf(text).map((block, index) => {
    try {
      const certificate = new Certificate(block)
      // OpenSSL must be able to read it too.
      void certificate.node
      return certificate
    } catch (error) {
      throw fault(`certificate ${index + 1} in it is damaged; copy the file again`, error)
    }
  })
  if (found.length === 0)
    throw fault(
      'there is no certificate in the file; it must hold text that begins with -----BEGIN CERTIFICATE-----',
    )
  return found
}

function whyUnreadable({ code, message }: NodeJS.ErrnoException, setting: string): string {
  if (code === 'ENOENT') return `there is no such file; correct ${setting}, or remove it`
  if (code === 'EACCES') return 'this process may not read it; give its user or group the right to'
  if (code === 'EISDIR') return `this is a folder; ${setting} must be a file`
  return message
}

/** The DER of each certificate in PEM. */
function blocksOf(text: string): Buffer[] {
  const blocks = text.matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END/g)
  return [...blocks].map(([, base64]) => Buffer.from(base64!, 'base64'))
}
