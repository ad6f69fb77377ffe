/** Cards of both formats, each made from the other: vcard-temp (XEP-0054) and vCard4 (XEP-0292 §11, RFC 6351). */
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

/** Properties that are one text in both, or a URI or a date in vCard4. */
const plain: readonly (readonly [old: string, name: string, value: 'text' | 'uri' | 'date' | 'timestamp'])[] =
  [
    ['FN', 'fn', 'text'],
    ['NICKNAME', 'nickname', 'text'],
    ['BDAY', 'bday', 'date'],
    ['TZ', 'tz', 'text'],
    ['TITLE', 'title', 'text'],
    ['ROLE', 'role', 'text'],
    ['NOTE', 'note', 'text'],
    ['URL', 'url', 'uri'],
    ['UID', 'uid', 'uri'],
    ['REV', 'rev', 'timestamp'],
  ]

/** Parts of the properties that have some, in the order of RFC 6351's schema. */
const nameParts = [
  ['FAMILY', 'surname'],
  ['GIVEN', 'given'],
  ['MIDDLE', 'additional'],
  ['PREFIX', 'prefix'],
  ['SUFFIX', 'suffix'],
] as const
const addressParts = [
  ['POBOX', 'pobox'],
  ['EXTADD', 'ext'],
  ['STREET', 'street'],
  ['LOCALITY', 'locality'],
  ['REGION', 'region'],
  ['PCODE', 'code'],
  ['CTRY', 'country'],
] as const

/** XEP-0292 §11.3: what is left of the types of addresses and telephones. */
const types = ['home', 'work', 'voice', 'fax', 'pager', 'cell', 'video', 'text'] as const

/** The card in the new format, without its picture; undefined when nothing of it can be said there. */
export function vcard4Of(card: Element): Element | undefined {
  const properties = card.childrenOf().flatMap((property) => newProperty(property) ?? [])
  return properties.length === 0 ? undefined : el('vcard', NS.vcard4, undefined, ...properties)
}

/** The card in the old format, without its picture; undefined as above. */
export function vcardTempOf(card: Element): Element | undefined {
  const properties = card.childrenOf().flatMap((property) => oldProperty(property) ?? [])
  return properties.length === 0 ? undefined : el('vCard', NS.vcard, undefined, ...properties)
}

// To vCard4 -----------------------------------------------------------------------------------------------------

function newProperty(property: Element): Element | undefined {
  const { local } = property
  const found = plain.find(([old]) => old === local)
  if (found) return valued(found[1], found[2], property.text)
  switch (local) {
    case 'N':
      return withParts('n', nameParts, property)
    case 'ADR':
      return withParts('adr', addressParts, property, parametersOf(property))
    case 'TEL':
      return telephone(property)
    case 'EMAIL':
      return valued('email', 'text', textIn(property, 'USERID') || property.text, parametersOf(property))
    case 'JABBERID':
      return property.text.trim() === '' ? undefined : valued('impp', 'uri', `xmpp:${property.text.trim()}`)
    case 'GEO':
      return valued('geo', 'uri', place(textIn(property, 'LAT'), textIn(property, 'LON')))
    case 'ORG':
      return listed('org', [...textsIn(property, 'ORGNAME'), ...textsIn(property, 'ORGUNIT')])
    case 'CATEGORIES':
      return listed('categories', textsIn(property, 'KEYWORD'))
    case 'DESC': // XEP-0292 §11.1.1
      return valued('note', 'text', property.text)
    case 'KEY': // XEP-0292 §11.2.1
      return valued('key', 'text', textIn(property, 'CRED'))
    case 'LOGO':
      return valued('logo', 'uri', textIn(property, 'EXTVAL'))
    default:
      return undefined
  }
}

/** One value; undefined when it is empty. */
function valued(
  name: string,
  value: 'text' | 'uri' | 'date' | 'timestamp',
  said: string,
  parameters?: Element,
): Element | undefined {
  const text = said.trim()
  if (text === '') return undefined
  return el(name, undefined, undefined, parameters, el(fitting(value, text), undefined, undefined, text))
}

/** The type that the text really has. */
function fitting(value: string, text: string): string {
  if (value === 'date') return /^(?:\d{4}-\d\d-\d\d|\d{8}|--\d\d-?\d\d)$/.test(text) ? 'date' : 'text'
  if (value === 'uri') return /^[a-z][a-z0-9+.-]*:\S+$/i.test(text) ? 'uri' : 'text'
  if (value === 'timestamp') return /^\d{8}T\d{6}(?:Z|[+-]\d\d(?:\d\d)?)?$/.test(text) ? 'timestamp' : 'text'
  return value
}

function withParts(
  name: string,
  parts: readonly (readonly [string, string])[],
  property: Element,
  parameters?: Element,
): Element | undefined {
  const values = parts.map(([old, part]) => ({ part, text: textIn(property, old) }))
  if (values.every(({ text }) => text === '')) return undefined
  return el(
    name,
    undefined,
    undefined,
    parameters,
    ...values.map(({ part, text }) => textElement(part, text)),
  )
}

function listed(name: string, texts: readonly string[]): Element | undefined {
  const said = texts.map((text) => text.trim()).filter((text) => text !== '')
  if (said.length === 0) return undefined
  return el(name, undefined, undefined, ...said.map((text) => textElement('text', text)))
}

/** XEP-0292 §11.3.5: a number is a tel: URI, if it is one. */
function telephone(property: Element): Element | undefined {
  const number = (textIn(property, 'NUMBER') || property.text).trim()
  const packed = number.replaceAll(/[\s()./]+/g, '-').replaceAll(/^-|-$/g, '')
  const isUri = /^\+?[\d-]{2,}$/.test(packed) && /\d/.test(packed)
  return valued('tel', isUri ? 'uri' : 'text', isUri ? `tel:${packed}` : number, parametersOf(property))
}

function place(latitude: string, longitude: string): string {
  const isNumber = (text: string) => /^[+-]?\d{1,3}(?:\.\d{1,12})?$/.test(text)
  return isNumber(latitude) && isNumber(longitude) ? `geo:${latitude},${longitude}` : ''
}

function parametersOf(property: Element): Element | undefined {
  const said = types.filter((type) => property.child(type.toUpperCase(), NS.vcard))
  const preferred = property.child('PREF', NS.vcard)
  if (said.length === 0 && !preferred) return undefined
  const type = el('type', undefined, undefined, ...said.map((one) => textElement('text', one)))
  const pref = el('pref', undefined, undefined, textElement('integer', '1'))
  return el(
    'parameters',
    undefined,
    undefined,
    said.length > 0 ? type : undefined,
    preferred ? pref : undefined,
  )
}

function textIn(property: Element, name: string): string {
  return property.child(name, NS.vcard)?.text.trim() ?? ''
}

function textsIn(property: Element, name: string): string[] {
  return property.childrenOf(name, NS.vcard).map((one) => one.text)
}

function textElement(name: string, text: string): Element {
  return el(name, undefined, undefined, text)
}

// To vcard-temp -------------------------------------------------------------------------------------------------

function oldProperty(property: Element): Element | undefined {
  if (property.ns !== NS.vcard4) return undefined
  const { local } = property
  const [value = ''] = valuesOf(property)
  // §11.1.1: old clients show and write DESC.
  if (local === 'note') return oldText('DESC', value)
  const found = plain.find(([, name]) => name === local)
  if (found) return oldText(found[0], value)
  switch (local) {
    case 'n':
      return oldParts('N', nameParts, property, [])
    case 'adr':
      return oldParts('ADR', addressParts, property, flagsOf(property))
    case 'tel':
      return oldWith('TEL', [...flagsOf(property), oldText('NUMBER', value.replace(/^tel:/i, ''))])
    case 'email':
      return oldWith('EMAIL', [...flagsOf(property), el('INTERNET'), oldText('USERID', value)])
    case 'impp':
      return /^xmpp:/i.test(value) ? oldText('JABBERID', value.slice(5)) : undefined
    case 'geo': {
      const [, latitude = '', longitude = ''] = /^geo:([^,;]+),([^,;]+)/i.exec(value) ?? []
      return oldWith('GEO', [oldText('LAT', latitude), oldText('LON', longitude)])
    }
    case 'org': {
      const [name = '', ...units] = valuesOf(property)
      if (name === '') return undefined
      const children = units.map((unit) => oldText('ORGUNIT', unit))
      return el('ORG', undefined, undefined, oldText('ORGNAME', name), ...children)
    }
    case 'categories':
      return oldWith(
        'CATEGORIES',
        valuesOf(property).map((text) => oldText('KEYWORD', text)),
      )
    case 'key':
      return oldWith('KEY', [oldText('CRED', value)])
    case 'logo':
      return /^https?:/i.test(value) ? oldWith('LOGO', [oldText('EXTVAL', value)]) : undefined
    default:
      return undefined
  }
}

/** Texts of the value elements, whatever their types. */
function valuesOf(property: Element): string[] {
  return property
    .childrenOf()
    .filter(({ local }) => local !== 'parameters')
    .map(({ text }) => text.trim())
    .filter((text) => text !== '')
}

function oldText(name: string, text: string): Element | undefined {
  return text === '' ? undefined : textElement(name, text)
}

/** Undefined unless the last child, which is what it is about, is there. */
function oldWith(name: string, children: readonly (Element | undefined)[]): Element | undefined {
  return children.at(-1) ? el(name, undefined, undefined, ...children) : undefined
}

function oldParts(
  name: string,
  parts: readonly (readonly [string, string])[],
  property: Element,
  flags: readonly Element[],
): Element | undefined {
  const said = parts.flatMap(
    ([old, part]) => oldText(old, property.child(part, NS.vcard4)?.text.trim() ?? '') ?? [],
  )
  return said.length === 0 ? undefined : el(name, undefined, undefined, ...flags, ...said)
}

function flagsOf(property: Element): Element[] {
  const parameters = property.child('parameters', NS.vcard4)
  const said = new Set(
    parameters
      ?.childrenOf('type', NS.vcard4)
      .flatMap((type) => type.childrenOf().map(({ text }) => text.trim().toLowerCase())),
  )
  const flags = types.filter((type) => said.has(type)).map((type) => el(type.toUpperCase()))
  return parameters?.child('pref', NS.vcard4) ? [el('PREF'), ...flags] : flags
}
