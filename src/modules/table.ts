/** What this server supports, for people and for machines: the README's table and the DOAP file, made from the modules. */
import type { AnyModule, Xep } from '../host/module.js'
import { el, type Element } from '../xml/element.js'

/** XEPs that are no module's business, and the folder that is about them. */
const builtIn: readonly (readonly [where: string, xep: Xep])[] = [
  ['stanza', { number: 4, version: '2.13.2' }],
  ['stanza', { number: 68, version: '1.3.0' }],
  ['stanza', { number: 82, version: '1.1.1' }],
  ['s2s', { number: 114, version: '1.6' }],
  ['c2s', { number: 175, version: '1.2' }],
  ['s2s', { number: 178, version: '1.2' }],
  ['s2s', { number: 185, version: '1.0' }],
  ['c2s', { number: 198, version: '1.6.3' }],
  ['s2s', { number: 220, version: '1.1.1' }],
  ['admin', { number: 227, version: '1.1' }],
  ['s2s', { number: 288, version: '1.0.1' }],
  ['s2s', { number: 344, version: '0.4' }],
  ['tls', { number: 368, version: '1.1.0' }],
  ['c2s', { number: 386, version: '1.1.0' }],
  [
    'c2s',
    {
      number: 388,
      version: '1.0.4',
      note: 'the same mechanisms for everybody: nothing tells which accounts exist',
    },
  ],
  ['c2s', { number: 440, version: '1.0.0' }],
  ['sasl', { number: 474, version: '0.5.0' }],
  ['c2s', { number: 480, version: '0.2.0' }],
  ['c2s', { number: 484, version: '0.2.0', note: 'without TLS 0-RTT' }],
  ['c2s', { number: 509, version: '0.2.0' }],
  ['sasl', { number: 515, version: '0.1.0' }],
]

const rfcs = [5802, 6120, 6121, 7590, 7622, 7677, 9266]

/** As in the XSF's list. */
const titles: Readonly<Record<number, string>> = {
  4: 'Data Forms',
  12: 'Last Activity',
  30: 'Service Discovery',
  45: 'Multi-User Chat',
  48: 'Bookmarks',
  49: 'Private XML Storage',
  50: 'Ad-Hoc Commands',
  54: 'vcard-temp',
  55: 'Jabber Search',
  59: 'Result Set Management',
  60: 'Publish-Subscribe',
  68: 'Field Standardization for Data Forms',
  77: 'In-Band Registration',
  82: 'XMPP Date and Time Profiles',
  84: 'User Avatar',
  92: 'Software Version',
  114: 'Jabber Component Protocol',
  115: 'Entity Capabilities',
  128: 'Service Discovery Extensions',
  133: 'Service Administration',
  153: 'vCard-Based Avatars',
  157: 'Contact Addresses for XMPP Services',
  160: 'Best Practices for Handling Offline Messages',
  163: 'Personal Eventing Protocol',
  172: 'User Nickname',
  175: 'Best Practices for Use of SASL ANONYMOUS',
  178: 'Best Practices for Use of SASL EXTERNAL with Certificates',
  185: 'Dialback Key Generation and Validation',
  191: 'Blocking Command',
  198: 'Stream Management',
  199: 'XMPP Ping',
  202: 'Entity Time',
  203: 'Delayed Delivery',
  215: 'External Service Discovery',
  220: 'Server Dialback',
  222: 'Persistent Storage of Public Data via PubSub',
  223: 'Persistent Storage of Private Data via PubSub',
  227: 'Portable Import/Export Format for XMPP-IM Servers',
  237: 'Roster Versioning',
  280: 'Message Carbons',
  288: 'Bidirectional Server-to-Server Connections',
  292: 'vCard4 Over XMPP',
  297: 'Stanza Forwarding',
  307: 'Unique Room Names for Multi-User Chat',
  313: 'Message Archive Management',
  334: 'Message Processing Hints',
  344: 'Impact of TLS and DNSSEC on Dialback',
  352: 'Client State Indication',
  317: 'Hats',
  357: 'Push Notifications',
  359: 'Unique and Stable Stanza IDs',
  368: 'SRV records for XMPP over TLS',
  377: 'Blocking Command Reports',
  386: 'Bind 2',
  388: 'Extensible SASL Profile',
  390: 'Entity Capabilities 2.0',
  398: 'User Avatar to vCard-Based Avatars Conversion',
  402: 'PEP Native Bookmarks',
  410: "MUC Self-Ping (Schrödinger's Chat)",
  411: 'Bookmarks Conversion',
  421: 'Occupant identifiers for semi-anonymous MUCs',
  424: 'Message Retraction',
  425: 'Moderated Message Retraction',
  431: 'Full Text Search in MAM',
  433: 'Extended Channel Search',
  437: 'Room Activity Indicators',
  440: 'SASL Channel-Binding Type Capability',
  441: 'Message Archive Management Preferences',
  452: 'MUC Mention Notifications',
  463: 'MUC Affiliations Versioning',
  474: 'SASL SCRAM Downgrade Protection',
  478: 'Stream Limits Advertisement',
  480: 'SASL Upgrade Tasks',
  484: 'Fast Authentication Streamlining Tokens',
  485: 'PubSub Server Information',
  486: 'MUC Avatars',
  490: 'Message Displayed Synchronization',
  492: 'Chat notification settings',
  500: 'MUC Slow Mode',
  502: 'MUC Activity Indicator',
  509: 'Initial Authentication Pipelining',
  515: 'TLS Channel-Binding Downgrade Protection',
}

/** One row of the table. */
interface Row {
  readonly xep: Xep
  readonly title: string
  readonly address: string
  /** The module, or the folder of src. */
  readonly where: string
  readonly remark: string
}

/** By number. Throws Error for a XEP whose title is not known here. */
function rowsOf(modules: readonly AnyModule[]): readonly Row[] {
  const all = [
    ...builtIn.map(([folder, xep]) => ({ where: `src/${folder}`, xep, off: false })),
    ...modules.flatMap(({ name, xeps, enabled }) =>
      xeps.map((xep) => ({ where: `\`${name}\``, xep, off: enabled === false })),
    ),
  ]
  return all
    .map(({ where, xep, off }): Row => {
      const title = titles[xep.number]
      if (title === undefined) throw new Error(`src/modules/table.ts knows no title of XEP ${xep.number}`)
      const address = `https://xmpp.org/extensions/xep-${String(xep.number).padStart(4, '0')}.html`
      const remarks = [xep.status === 'partial' ? 'partial' : '', xep.note ?? '', off ? 'off by default' : '']
      return { xep, title, address, where, remark: remarks.filter((remark) => remark !== '').join('; ') }
    })
    .sort((a, b) => a.xep.number - b.xep.number)
}

/** The table of XEPs in Markdown, without a heading, ending with a newline. */
export function xepTable(modules: readonly AnyModule[]): string {
  const lines = rowsOf(modules).map(({ xep, title, address, where, remark }) => {
    const number = String(xep.number).padStart(4, '0')
    return `| [${number}](${address}) | ${title} | ${xep.version} | ${where} | ${remark} |`
  })
  return [
    '| XEP | title | version | module or folder | remarks |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
    '',
  ].join('\n')
}

/** The description of the project for the XSF's lists (XEP-0453), as an XML document. */
export function doap(modules: readonly AnyModule[], description: string): string {
  const resource = (uri: string) => ({ 'rdf:resource': uri })
  const text = (name: string, content: string) => el(name, undefined, undefined, content)
  const project = el(
    'Project',
    undefined,
    undefined,
    text('name', 'Parley'),
    el('shortdesc', undefined, { 'xml:lang': 'en' }, description),
    el('license', undefined, resource('https://spdx.org/licenses/MIT.html')),
    text('programming-language', 'TypeScript'),
    el('category', undefined, resource('https://linkmauve.fr/ns/xmpp-doap#category-server')),
    ...rfcs.map((rfc) => el('implements', undefined, resource(`https://xmpp.org/rfcs/rfc${rfc}.html`))),
    ...rowsOf(modules).map(({ xep, address }) =>
      el(
        'implements',
        undefined,
        undefined,
        el(
          'xmpp:SupportedXep',
          undefined,
          undefined,
          el('xmpp:xep', undefined, resource(address)),
          text('xmpp:status', xep.status ?? 'complete'),
          text('xmpp:version', xep.version),
          xep.note === undefined ? undefined : el('xmpp:note', undefined, { 'xml:lang': 'en' }, xep.note),
        ),
      ),
    ),
  )
  const document = el(
    'rdf:RDF',
    'http://usefulinc.com/ns/doap#',
    {
      'xmlns:rdf': 'http://www.w3.org/1999/02/22-rdf-syntax-ns#',
      'xmlns:xmpp': 'https://linkmauve.fr/ns/xmpp-doap#',
    },
    project,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n${indented(document)}`
}

/** One element a line; a tag starts a new line unless it closes the one before. */
function indented(document: Element): string {
  let depth = 0
  return document
    .toString()
    .replaceAll('><', '>\n<')
    .split('\n')
    .map((line) => {
      if (line.startsWith('</')) depth--
      const margin = '  '.repeat(depth)
      if (!line.startsWith('</') && !line.endsWith('/>') && !line.includes('</')) depth++
      return `${margin}${line}\n`
    })
    .join('')
}
