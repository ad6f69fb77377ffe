/** What an entity is and can, and the hashes that name it: XEP-0030 information, XEP-0115 and XEP-0390 strings. */
import { createHash } from 'node:crypto'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { formTypeOf, formValues } from './forms.js'

/** XEP-0030 §3.1; categories and types are registered. */
export interface Identity {
  readonly category: string
  readonly type: string
  readonly name?: string | undefined
  readonly lang?: string | undefined
}

/** The answer to a disco#info request, without its node. */
export interface DiscoInfo {
  readonly identities: readonly Identity[]
  readonly features: readonly string[]
  /** XEP-0128: result forms with a FORM_TYPE. */
  readonly forms: readonly Element[]
}

/** The disco#info `<query/>`. */
export function discoInfoElement(info: DiscoInfo, node?: string): Element {
  return el(
    'query',
    NS.discoInfo,
    { node },
    ...info.identities.map(({ category, type, name, lang }) =>
      el('identity', undefined, { category, type, name, 'xml:lang': lang }),
    ),
    ...info.features.map((feature) => el('feature', undefined, { var: feature })),
    ...info.forms,
  )
}

/**
 * Reads a disco#info `<query/>`; undefined when XEP-0115 §5.4 calls it ill-formed (something is in it twice).
 * Forms without a hidden FORM_TYPE are left out. `lang` is the language of what surrounds it.
 */
export function readDiscoInfo(query: Element, lang?: string): DiscoInfo | undefined {
  const outer = query.attrs['xml:lang'] ?? lang
  const identities = query.childrenOf('identity', NS.discoInfo).map(({ attrs }): Identity => ({
    category: attrs['category'] ?? '',
    type: attrs['type'] ?? '',
    name: attrs['name'],
    lang: attrs['xml:lang'] ?? outer,
  }))
  const features = query.childrenOf('feature', NS.discoInfo).map((feature) => feature.attrs['var'] ?? '')
  const forms = query.childrenOf('x', NS.dataForms).filter((x) => formTypeOf(x) !== undefined)
  const formTypes = forms.map((x) => formValues(x).get('FORM_TYPE') ?? [])
  const wellFormed =
    allDiffer(identities.map(({ category, type, lang, name }) => [category, type, lang, name].join('\0'))) &&
    allDiffer(features) &&
    allDiffer(formTypes.map((values) => values[0]!)) &&
    formTypes.every((values) => new Set(values).size === 1)
  return wellFormed ? { identities, features, forms } : undefined
}

function allDiffer(texts: readonly string[]): boolean {
  return new Set(texts).size === texts.length
}

/** The verification string of XEP-0115 §5.1, in Base64. */
export function capsVersion(info: DiscoInfo, hash: 'sha-1' | 'sha-256' = 'sha-1'): string {
  return createHash(hash.replace('-', '')).update(capsVersionInput(info)).digest('base64')
}

/** XEP-0115 §5.1: what is hashed. Each identity, feature and text of a form ends with the only `<` it can have. */
export function capsVersionInput(info: DiscoInfo): string {
  let s = ''
  const identities = [...info.identities].sort(
    (a, b) =>
      byOctets(a.category, b.category) || byOctets(a.type, b.type) || byOctets(a.lang ?? '', b.lang ?? ''),
  )
  for (const { category, type, lang = '', name = '' } of identities)
    s += `${literal(`${category}/${type}/${lang}/${name}`)}<`
  for (const feature of [...info.features].sort(byOctets)) s += `${literal(feature)}<`
  const forms = info.forms.map((x) => ({ type: formTypeOf(x) ?? '', values: formValues(x) }))
  for (const { type, values } of forms.sort((a, b) => byOctets(a.type, b.type))) {
    s += `${literal(type)}<`
    const fields = [...values].filter(([name]) => name !== 'FORM_TYPE')
    for (const [name, texts] of fields.sort(([a], [b]) => byOctets(a, b)))
      for (const text of [name, ...[...texts].sort(byOctets)]) s += `${literal(text)}<`
  }
  return s
}

/** XEP-0115 §5.1: an escaped `<` stays escaped, or a name could pretend to be features. */
function literal(text: string): string {
  return text.replaceAll('<', '&lt;')
}

/** The i;octet collation (RFC 4790 §9.3): by UTF-8 bytes. */
function byOctets(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** The hash functions of XEP-0390 that XEP-0300 asks for, by their names there. */
export const capsHashes = ['sha-256', 'sha3-256'] as const
export type CapsHash = (typeof capsHashes)[number]

/** A capability hash of XEP-0390 §4, in Base64. */
export function capsHash(info: DiscoInfo, hash: CapsHash): string {
  const algorithm = hash === 'sha-256' ? 'sha256' : 'sha3-256'
  return createHash(algorithm).update(capsHashInput(info)).digest('base64')
}

/** XEP-0390 §4.1: features, identities and extensions, joined in the order of their octets. */
export function capsHashInput(info: DiscoInfo): string {
  const features = info.features.map((feature) => `${feature}\x1f`)
  const identities = info.identities.map(
    ({ category, type, lang = '', name = '' }) =>
      `${[category, type, lang, name].map((text) => `${text}\x1f`).join('')}\x1e`,
  )
  const forms = info.forms.map((x) => {
    const fields = [...formValues(x)].map(([name, texts]) => {
      const values = texts.map((text) => `${text}\x1f`).sort(byOctets)
      return `${name}\x1f${values.join('')}\x1e`
    })
    return `${fields.sort(byOctets).join('')}\x1d`
  })
  return [features, identities, forms].map((parts) => `${parts.sort(byOctets).join('')}\x1c`).join('')
}

/** The node under which the information of that hash can be asked for (XEP-0390 §4.3). */
export function capsHashNode(info: DiscoInfo, hash: CapsHash): string {
  return `urn:xmpp:caps#${hash}.${capsHash(info, hash)}`
}
