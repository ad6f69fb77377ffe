/** What a client says of its capabilities in its presence, and what its answer is worth (XEP-0115, XEP-0390). */
import {
  capsHash,
  capsHashes,
  type CapsHash,
  capsVersion,
  capsVersionInput,
  type DiscoInfo,
  readDiscoInfo,
} from '../../stanza/caps.js'
import type { Stanza } from '../../stanza/stanza.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** The `<c/>` of a presence. */
export interface Advertised {
  /** Equal for all that advertise the same; of one without a hash that can be checked, equal for nobody else. */
  readonly key: string
  /** What to ask for. */
  readonly node: string
  /** Whether an answer can prove itself. */
  readonly checkable: boolean
  /** Features by an answer that fits the hash; undefined: it does not, or is ill-formed. */
  verified(answer: Answer): ReadonlySet<string> | undefined
}

/** A disco#info `<query/>`, and the language of what surrounds it. */
export interface Answer {
  readonly query: Element
  readonly lang: string | undefined
}

/** Longest hash and name of a program that are looked at, in characters. */
const longest = 1_023

/** Undefined when the presence says nothing of the kind; the hashes of XEP-0390 come first. */
export function advertisedBy(presence: Stanza): Advertised | undefined {
  return modern(presence) ?? classic(presence)
}

/** XEP-0390 §4.4: whichever of the hashes we know. */
function modern(presence: Stanza): Advertised | undefined {
  const hashes = presence.child('c', NS.caps2)?.childrenOf('hash', NS.hashes) ?? []
  for (const { attrs, text } of hashes) {
    const algo = capsHashes.find((known) => known === attrs['algo'])
    const hash = text.trim()
    if (algo && hash.length > 0 && hash.length <= longest) return ofHash(algo, hash)
  }
  return undefined
}

function ofHash(algo: CapsHash, hash: string): Advertised {
  const node = `urn:xmpp:caps#${algo}.${hash}`
  return {
    key: node,
    node,
    checkable: true,
    verified(answer) {
      const info = readingsOf(answer).find((reading) => capsHash(reading, algo) === hash)
      return info && new Set(info.features)
    },
  }
}

function classic(presence: Stanza): Advertised | undefined {
  const { hash, node, ver } = presence.child('c', NS.caps)?.attrs ?? {}
  // XEP-0115 §5.4, step 1: without a hash it is of the legacy format, and ignored.
  if (hash === undefined || node === undefined || ver === undefined) return undefined
  if (hash.length > 32 || node.length > longest || ver.length > longest) return undefined
  const asked = `${node}#${ver}`
  if (hash === 'sha-1' || hash === 'sha-256') return ofVersion(hash, asked, ver)
  // Step 2: of no use to anybody else.
  return { key: `${hash} ${asked}`, node: asked, checkable: false, verified: () => undefined }
}

function ofVersion(hash: 'sha-1' | 'sha-256', node: string, ver: string): Advertised {
  return {
    key: `${hash}#${ver}`,
    node,
    checkable: true,
    verified(answer) {
      const info = readingsOf(answer).find((reading) => capsVersion(reading, hash) === ver)
      if (!info) return undefined
      // The string that is hashed does not tell a feature from an identity or the FORM_TYPE of a form, so who answers
      // first could hide features from all others. Taking each part of it for a feature leaves nothing to choose.
      return new Set(capsVersionInput(info).split('<'))
    },
  }
}

/**
 * The language of what surrounds an identity is its language too, and hashed; but a stanza without one gets that of its
 * stream, or of a stream between servers, which the client that made the hash did not know.
 */
function readingsOf({ query, lang }: Answer): readonly DiscoInfo[] {
  return [readDiscoInfo(query, lang), readDiscoInfo(query)].flatMap((reading) => reading ?? [])
}

/** What the answerer says of itself, and nobody else: without proof. Undefined when it is ill-formed. */
export function claimedBy({ query, lang }: Answer): ReadonlySet<string> | undefined {
  const info = readDiscoInfo(query, lang)
  return info && new Set(info.features)
}
