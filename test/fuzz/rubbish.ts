/** What no stream should be given: stanzas without sense, bytes that are no XML, and how they are thrown. */
import type { Actor } from '../support/actor.js'
import type { Dice } from '../support/dice.js'

const BIND = 'urn:ietf:params:xml:ns:xmpp-bind'

export const header = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='capulet.example' version='1.0'>`

export const addresses = [
  'capulet.example',
  'romeo@capulet.example',
  'juliet@capulet.example/balcony',
  'nobody@capulet.example',
  'x@far.example',
  '@@',
  '',
]
export const payloads = [
  '',
  '<body>x</body>',
  '<show>away</show>',
  '<priority>a</priority>',
  `<bind xmlns='${BIND}'/>`,
  `<bind xmlns='${BIND}'><resource>r</resource></bind>`,
  `<bind xmlns='${BIND}'><resource>&#x200B;</resource><resource/></bind>`,
  `<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>`,
  `<query xmlns='jabber:iq:register'/>`,
  `<query xmlns='jabber:iq:register'><username>a b</username><password>p</password></query>`,
  `<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'><field/><field var='username'/></x></query>`,
  `<query xmlns='jabber:iq:register'><remove/><x/></query>`,
  `<query xmlns='jabber:iq:roster'/>`,
  `<query xmlns='jabber:iq:roster'><item/></query>`,
  `<query xmlns='jabber:iq:roster'><item jid='@'/></query>`,
  `<query xmlns='jabber:iq:roster'><item jid='__proto__@x.example' name='constructor'><group>__proto__</group></item></query>`,
  `<query xmlns='jabber:iq:private'/>`,
  `<query xmlns='jabber:iq:private'><__proto__ xmlns='x'/></query>`,
  `<query xmlns='jabber:iq:last'/>`,
  `<query xmlns='jabber:iq:version'/>`,
  `<query xmlns='http://jabber.org/protocol/disco#info' node='__proto__'/>`,
  `<query xmlns='http://jabber.org/protocol/disco#items'/>`,
  `<vCard xmlns='vcard-temp'><FN>&lt;</FN></vCard>`,
  `<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>iVBORw0KGgo=</BINVAL></PHOTO></vCard>`,
  `<vCard xmlns='vcard-temp'><PHOTO/><PHOTO><BINVAL>%</BINVAL></PHOTO><__proto__/><ADR><ADR/></ADR></vCard>`,
  `<x xmlns='vcard-temp:x:update'/>`,
  `<x xmlns='vcard-temp:x:update'><photo/></x><x xmlns='vcard-temp:x:update'><photo>x</photo></x>`,
  `<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='x' ver='constructor'/>`,
  `<c xmlns='http://jabber.org/protocol/caps' hash='__proto__' node='' ver=''/><c xmlns='urn:xmpp:caps'/>`,
  `<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>=</hash></c>`,
  `<query xmlns='http://jabber.org/protocol/disco#info'><identity/><feature/><x xmlns='jabber:x:data' type='result'/></query>`,
  `<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'><conference jid='@'/><conference jid='a@b' autojoin='?'><nick><x/></nick></conference>t</storage></query>`,
  ...[
    `<publish node='storage:bookmarks'><item><storage xmlns='storage:bookmarks'><conference/></storage></item></publish>`,
    `<publish node='storage:bookmarks'><item><other xmlns='x'/></item></publish>`,
    `<publish node='urn:xmpp:bookmarks:1'><item id='@'><conference xmlns='urn:xmpp:bookmarks:1'/></item></publish>`,
    `<publish node='urn:xmpp:bookmarks:1'><item id='a@b'><__proto__ xmlns='x'/></item></publish>`,
    `<publish node='urn:xmpp:avatar:metadata'><item><metadata xmlns='urn:xmpp:avatar:metadata'><info id='${'a'.repeat(40)}'/></metadata></item></publish>`,
    `<publish node='urn:xmpp:avatar:metadata'><item id='__proto__'><x xmlns='x'/></item></publish>`,
    `<publish node='urn:xmpp:avatar:data'><item id='${'a'.repeat(40)}'><data xmlns='urn:xmpp:avatar:data'>AAAA</data></item></publish>`,
    `<publish node='urn:xmpp:vcard4'><item><vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><n/><tel/><geo><uri>geo:</uri></geo></vcard></item></publish>`,
    `<retract node='urn:xmpp:bookmarks:1'><item id='a@b'/></retract>`,
    `<items node='storage:bookmarks'/>`,
  ].map((action) => `<pubsub xmlns='http://jabber.org/protocol/pubsub'>${action}</pubsub>`),
  `<displayed xmlns='urn:xmpp:mds:displayed:0'><stanza-id xmlns='urn:xmpp:sid:0'/></displayed>`,
  `<displayed xmlns='urn:xmpp:mds:displayed:0'/><displayed xmlns='urn:xmpp:mds:displayed:0'>x</displayed>`,
  `<time xmlns='urn:xmpp:time'/>`,
  `<ping xmlns='urn:xmpp:ping'/><ping xmlns='urn:xmpp:ping'/>`,
  `<x xmlns='x'>text<y/>text</x>`,
  `<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`,
]
export const types = [
  'get', 'set', 'result', 'error', 'chat', 'groupchat', 'subscribe', 'subscribed', 'unsubscribe', 'probe', 'unavailable', '', '__proto__',
] // prettier-ignore

export const broken: readonly (string | Buffer)[] = [
  header,
  header.replace('capulet', 'verona'),
  header.replace(`version='1.0'>`, `version='9.9.9'>`),
  '</stream:stream>',
  '</stream:stream></stream:stream>',
  '<',
  '</',
  '<a',
  '<a b',
  `<a b='`,
  '<a/ >',
  '</a>',
  '<a></b>',
  '<p:a/>',
  '<xmlns:a/>',
  `<a xmlns:p=''/>`,
  `<a b='1' b='2'/>`,
  '<!-- -->',
  '<?x?>',
  '<![CDATA[x]]>',
  '<!DOCTYPE a>',
  '&amp;',
  '<message>&#0;</message>',
  '<message>&x;</message>',
  '<message>]]></message>',
  'text',
  ' \t\r\n',
  '\0',
  Buffer.of(0xff, 0xfe),
  Buffer.of(0x16, 0x03, 0x01, 0x02, 0x00),
  Buffer.from('<message><body>\xed\xa0\x80</body></message>', 'latin1'),
  'GET / HTTP/1.1\r\n\r\n',
  '<a>'.repeat(200),
  '<a>'.repeat(200) + '</a>'.repeat(200),
  `<message ${Array.from({ length: 600 }, (_, i) => `a${i}=''`).join(' ')}/>`,
  `<message><body>${'x'.repeat(30_000)}</body></message>`,
  `<message><body>${'x'.repeat(90_000)}`,
]

/** In one piece, or cut anywhere. */
export function throwAt(actor: Actor, thing: string | Buffer, dice: Dice): void {
  const bytes = Buffer.from(thing)
  const cut = dice.below(3) === 0 ? dice.below(bytes.length) : bytes.length
  actor.raw(bytes.subarray(0, cut))
  if (cut < bytes.length) actor.raw(bytes.subarray(cut))
}

/** Long enough for what a stream does of itself; passwords are checked in a few turns of the loop. */
export async function aWhile(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** A stanza of any kind; `from` is what it may say of its sender. */
export function anyStanza(dice: Dice, from: readonly string[]): string {
  const kind = dice.of(['message', 'presence', 'iq', 'iq'])
  const attributes = [
    dice.below(2) ? `to='${dice.of(addresses)}'` : '',
    dice.below(4) ? `type='${dice.of(types)}'` : '',
    dice.below(4) ? `id='${dice.below(9)}'` : '',
    from.length > 0 ? `from='${dice.of(from)}'` : '',
    dice.below(9) ? '' : `xml:lang='${dice.of(['de', '', 'x'.repeat(200)])}'`,
  ]
  return `<${kind} ${attributes.join(' ')}>${dice.of(payloads)}</${kind}>`
}
