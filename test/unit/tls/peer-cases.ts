/** Certificates of other servers, good ones and bad ones, and what is to be thought of them. */
import type { PeerFault } from '../../../src/tls/peer.js'
import {
  der,
  distinguishedName,
  newAuthority,
  newKey,
  oid,
  purposes,
  selfSigned,
  sequence,
} from '../../support/test-ca.js'
import type { Issued, Name, Wish } from '../../support/test-ca.js'

export const day = 86_400_000
export const now = Date.now()
const keys = {
  weak: newKey(1024),
  rsa: newKey(2048),
  strange: newKey('secp256k1'),
  edwards: newKey('ed25519'),
}

export const root = newAuthority('Root')
export const middle = root.issue({ commonName: 'Middle', authority: true, keyUsage: [5, 6] })
export const lower = middle.issue({ commonName: 'Lower', authority: true })
const rsaRoot = newAuthority('RSA root', { key: keys.rsa })
/** Same name as the root, another key. */
const impostor = newAuthority('Root')
const old = root.issue({ commonName: 'Old', authority: true, from: now - 9 * day, to: now - 2 * day })
const noAuthority = root.issue({ commonName: 'No authority', authority: false })
const silent = root.issue({ commonName: 'Silent' })
const noSigner = root.issue({ commonName: 'No signer', authority: true, keyUsage: [6] })
const shallow = root.issue({ commonName: 'Shallow', authority: { pathLength: 0 } })
const belowShallow = shallow.issue({ commonName: 'Below shallow', authority: true })
const weakMiddle = root.issue({ commonName: 'Weak', authority: true, key: keys.weak })
const sha1Middle = root.issue({ commonName: 'Old hash', authority: true, signature: 'sha1' })
const forMail = root.issue({ commonName: 'Mail', authority: true, extendedKeyUsage: [purposes.email] })
const forServers = root.issue({ commonName: 'Servers', authority: true, extendedKeyUsage: [purposes.server] })
const version1Root = selfSigned({ commonName: 'Very old', version1: true })
const version1Middle = root.issue({ commonName: 'Old style', version1: true })
const criticalMiddle = root.issue({
  commonName: 'Critical',
  authority: true,
  extensions: [{ oid: '1.2.3.4', critical: true, value: sequence() }],
})
const fenced = (change: Wish) => root.issue({ commonName: 'Fenced', authority: true, ...change })
const inside = fenced({ permitted: [{ dns: 'example.org' }] })
const onlyBelow = fenced({ permitted: [{ dns: '.example.org' }] })
const outside = fenced({ excluded: [{ dns: 'example.org' }] })
const oneOut = fenced({ excluded: [{ dns: 'secret.example.org' }] })
const network = fenced({ permitted: [{ ip: [192, 0, 2, 0, 255, 255, 255, 0] }] })
const mailFence = fenced({ permitted: [{ email: 'example.org' }] })
const company: Name = { tag: 0xa4, raw: distinguishedName({ organization: 'Example  Company' }) }
const ofCompany = fenced({ permitted: [company] })
const notOfCompany = fenced({ excluded: [company] })
const nothingUnder = fenced({ permitted: [{ dns: 'other.example' }] })
const belowFence = inside.issue({ commonName: 'Below the fence', authority: true })
const crossed = selfSigned({ commonName: 'Crossed', authority: true })
const crossing = root.issue({ commonName: 'Crossed', authority: true, key: crossed.key })
const many = (count: number) => Array.from({ length: count }, (_, index) => `n${index}.example.org`)
/** The authority of the old key has run out, its new key nobody knows. */
const crossedLate = root.issue({
  commonName: 'Crossed',
  authority: true,
  key: crossed.key,
  from: now - 9 * day,
  to: now - day,
})
/** Authorities that gave themselves a second certificate. */
const zero = newAuthority('Zero', { authority: { pathLength: 0 } })
const zeroAgain = zero.issue({ commonName: 'Zero', authority: true })
const fencedRoot = newAuthority('Fenced root', { permitted: [{ dns: 'example.org' }] })
const fencedAgain = fencedRoot.issue({ commonName: 'Fenced root', authority: true, dns: ['other.example'] })
const manyFences = fenced({ excluded: many(501).map((name) => ({ dns: name })) })
const withMinimum = fenced({
  extensions: [
    {
      oid: '2.5.29.30',
      critical: true,
      value: sequence(der(0xa0, sequence(der(0x82, Buffer.from('example.org')), der(0x80, Buffer.of(1))))),
    },
  ],
})

export const chat = (change: Wish = {}) => ({ dns: ['chat.example.org'], ...change })
const srv = (name: string): Wish => ({ commonName: 'srv', names: [{ srv: name }] })
const xmpp = (name: string): Wish => ({ commonName: 'xmpp', names: [{ xmpp: name }] })
const dns = (...names: string[]): Wish => ({ commonName: 'dns', dns: names })
const critical = (id: string, value = sequence()) => ({ extensions: [{ oid: id, critical: true, value }] })
const own = selfSigned(chat())
const late = selfSigned(chat({ from: now - 9 * day, to: now - day }))
const ownAuthority = selfSigned(chat({ authority: true }))
/** A leaf below ten authorities. */
const tower = Array.from({ length: 10 }).reduce<Issued[]>(
  (stack, _, index) => [stack[0]!.issue({ commonName: `Floor ${index}`, authority: true }), ...stack],
  [root],
)

export interface Row {
  readonly title: string
  readonly chain: readonly Issued[]
  /** Default chat.example.org. */
  readonly domain?: string
  /** Anchors; default the root. */
  readonly trust?: readonly Issued[]
  readonly want: 'ok' | PeerFault
  readonly text?: RegExp
  /** Why `openssl verify` sees it otherwise. */
  readonly openssl?: string
}

const wrongOne = 'it does not come back from the first of that name'
const noSrv = 'it knows names of the DNS only'

type More = Pick<Row, 'domain' | 'trust' | 'text' | 'openssl'>

function good(title: string, chain: readonly Issued[], more: More = {}): Row {
  return { title, chain, want: 'ok', ...more }
}

function bad(want: PeerFault, title: string, chain: readonly Issued[], more: More = {}): Row {
  return { title, chain, want, ...more }
}

export const rows: readonly Row[] = [
  // Chains.
  good('issued by the root', [root.issue(chat())]),
  good('two authorities between', [lower.issue(chat()), lower, middle]),
  good('the root sent along', [middle.issue(chat()), middle, root]),
  good('out of order', [lower.issue(chat()), root, middle, lower]),
  good('strangers among them', [middle.issue(chat()), impostor, own, middle, old]),
  bad('unknown-authority', 'an authority missing', [lower.issue(chat()), middle], {
    text: /"chat\.example\.org" was issued by "Lower", which is no known authority and was not sent along/,
  }),
  bad('unknown-authority', 'another root', [impostor.issue(chat()), impostor], {
    trust: [middle],
    text: /the authority "Root" is not known; put its certificate into the file of s2s\.ca_file/,
  }),
  bad('bad-signature', 'a root of the same name', [impostor.issue(chat()), impostor], {
    text: /"chat\.example\.org" is not really signed by "Root"/,
  }),
  bad('unknown-authority', 'nobody trusted', [root.issue(chat()), root], { trust: [] }),
  bad('self-signed', 'self-signed', [own], {
    text: /"chat\.example\.org" is self-signed; put it into the file of s2s\.ca_file to trust it all the same/,
  }),
  bad('self-signed', 'self-signed as an authority', [ownAuthority]),
  good('self-signed and trusted', [own], { trust: [own] }),
  bad('self-signed', 'self-signed, another one trusted', [own], { trust: [selfSigned(chat())] }),
  bad('name-mismatch', 'self-signed and trusted, for another domain', [own], {
    domain: 'example.org',
    trust: [own],
  }),
  bad('no-authority', 'self-signed, trusted and no authority, issues one', [own.issue(chat()), own], {
    trust: [own],
  }),
  good('an authority between trusted', [middle.issue(chat()), middle], { trust: [middle] }),
  bad('name-mismatch', 'a certificate trusted for itself', [noAuthority], {
    domain: 'x.example',
    trust: [noAuthority],
  }),
  good('crossed over to our root', [crossed.issue(chat()), crossing]),
  good('crossed, and the new root beside', [crossed.issue(chat()), crossed, crossing], {
    openssl: 'it does not come back from the new root',
  }),
  good('the chain of ten', [tower[2]!.issue(chat()), ...tower.slice(2, 10)]),
  bad('unknown-authority', 'a longer one', [tower[0]!.issue(chat()), ...tower.slice(0, 10)], {
    openssl: 'it follows a hundred',
  }),
  bad('expired', 'crossed, but too late', [crossed.issue(chat()), crossed, crossedLate], {
    text: /"Crossed" expired/,
  }),
  bad(
    'malformed',
    'names twice',
    [root.issue(chat({ extensions: [{ oid: '2.5.29.17', value: sequence() }] }))],
    {
      text: /an extension comes twice/,
    },
  ),
  // Dates.
  bad('expired', 'expired', [root.issue(chat({ from: now - 9 * day, to: now - day }))], {
    text: /"chat\.example\.org" expired on \d{4}-\d\d-\d\d$/,
  }),
  bad('not-yet-valid', 'not yet valid', [root.issue(chat({ from: now + day }))], { text: /clock/ }),
  bad('expired', 'an expired authority', [old.issue(chat()), old], { text: /"Old"/ }),
  bad('expired', 'an expired root', [old.issue(chat())], { trust: [old] }),
  bad('expired', 'self-signed, trusted, expired', [late], { trust: [late] }),
  good('until 2060', [root.issue(chat({ to: Date.UTC(2060, 0, 1) }))]),
  // Authorities.
  bad('no-authority', 'issued by CA:FALSE', [noAuthority.issue(chat()), noAuthority], {
    text: /"No authority" may not issue/,
  }),
  bad('no-authority', 'issued by one that does not say', [silent.issue(chat()), silent]),
  bad('no-authority', 'issued by one without keyCertSign', [noSigner.issue(chat()), noSigner]),
  good('at the end of the path length', [shallow.issue(chat()), shallow]),
  bad('no-authority', 'past the path length', [belowShallow.issue(chat()), belowShallow, shallow], {
    text: /"Shallow" may not have so many/,
  }),
  good('a root of version 1', [version1Root.issue(chat())], { trust: [version1Root] }),
  bad('no-authority', 'version 1 between', [version1Middle.issue(chat()), version1Middle]),
  bad(
    'no-authority',
    'a server certificate as an authority',
    [root.issue(chat()).issue(dns('evil.example')), root.issue(chat())],
    { domain: 'evil.example' },
  ),
  good(
    'the second certificate of an authority makes the path no longer',
    [zeroAgain.issue(chat()), zeroAgain],
    {
      trust: [zero],
      openssl: wrongOne,
    },
  ),
  // Purposes.
  good('for servers only', [root.issue(chat({ extendedKeyUsage: [purposes.server] }))]),
  good('for clients only', [root.issue(chat({ extendedKeyUsage: [purposes.client] }))], {
    openssl: 'it was asked about servers',
  }),
  good('for everything', [root.issue(chat({ extendedKeyUsage: [purposes.any] }))], {
    openssl: 'it does not count that',
  }),
  bad('purpose', 'for code', [root.issue(chat({ extendedKeyUsage: [purposes.code] }))], {
    text: /not for TLS/,
  }),
  bad('purpose', 'an authority for mail', [forMail.issue(chat()), forMail], { text: /"Mail"/ }),
  good('an authority for servers', [forServers.issue(chat()), forServers]),
  good('a key to sign handshakes', [root.issue(chat({ keyUsage: [0] }))]),
  bad('purpose', 'a key to sign certificates only', [root.issue(chat({ keyUsage: [5] }))]),
  // Strength.
  bad('weak-signature', 'signed with SHA-1', [root.issue(chat({ signature: 'sha1' }))], {
    text: /too weak \(1\.2\.840\.10045\.4\.1\)/,
  }),
  bad('weak-signature', 'an authority signed with SHA-1', [sha1Middle.issue(chat()), sha1Middle], {
    text: /"Old hash"/,
  }),
  bad('weak-signature', 'RSA and SHA-1', [rsaRoot.issue(chat({ signature: 'sha1' }))], { trust: [rsaRoot] }),
  bad('weak-signature', 'RSA and MD5', [rsaRoot.issue(chat({ signature: 'md5' }))], { trust: [rsaRoot] }),
  good('RSA and SHA-512', [rsaRoot.issue(chat({ signature: 'sha512' }))], { trust: [rsaRoot] }),
  good('RSASSA-PSS', [rsaRoot.issue(chat({ signature: 'pss' }))], { trust: [rsaRoot] }),
  bad('weak-signature', 'RSASSA-PSS with SHA-1', [rsaRoot.issue(chat({ signature: 'pss-sha1' }))], {
    trust: [rsaRoot],
  }),
  bad('weak-key', 'a key of 1024 bits', [root.issue(chat({ key: keys.weak }))], { text: /RSA, 1024 bits/ }),
  bad('weak-key', 'an authority with 1024 bits', [weakMiddle.issue(chat()), weakMiddle], { text: /"Weak"/ }),
  bad('weak-key', 'a curve for coins', [root.issue(chat({ key: keys.strange }))], {
    text: /secp256k1/,
    openssl: 'its strength is enough for it',
  }),
  good('Ed25519', [root.issue(chat({ key: keys.edwards }))]),
  // What is critical.
  bad('unknown-extension', 'something critical that nobody knows', [root.issue(chat(critical('1.2.3.4')))], {
    text: /1\.2\.3\.4/,
  }),
  bad('unknown-extension', 'critical in an authority', [criticalMiddle.issue(chat()), criticalMiddle]),
  bad('unknown-extension', 'a certificate before its transparency', [
    root.issue(chat(critical('1.3.6.1.4.1.11129.2.4.3', der(5, Buffer.alloc(0))))),
  ]),
  good('critical policies', [root.issue(chat(critical('2.5.29.32', sequence(sequence(oid('1.2.3'))))))]),
  good('an unknown extension that is not critical', [
    root.issue(chat({ extensions: [{ oid: '1.2.3.4', value: sequence() }] })),
  ]),
  // Names.
  bad('name-mismatch', 'no name', [root.issue({ commonName: 'x' })], {
    text: /for no domain at all, not for chat/,
  }),
  bad('name-mismatch', 'an empty list of names', [
    root.issue({ commonName: 'x', extensions: [{ oid: '2.5.29.17', value: sequence() }] }),
  ]),
  bad('name-mismatch', 'an empty name', [root.issue(dns(''))]),
  bad('name-mismatch', 'the common name only', [root.issue({ commonName: 'chat.example.org' })], {
    openssl: 'it takes the common name then',
  }),
  bad('name-mismatch', 'the domain above', [root.issue(dns('example.org'))], {
    text: /for example\.org, not for chat\.example\.org/,
  }),
  bad('name-mismatch', 'a domain below', [root.issue(dns('a.chat.example.org'))]),
  bad('name-mismatch', 'the name with more before', [root.issue(dns('evilchat.example.org'))]),
  good('upper case', [root.issue(dns('CHAT.Example.ORG'))]),
  good('a dot at the end in the certificate', [root.issue(dns('chat.example.org.'))], {
    openssl: 'it takes dots at the end of neither',
  }),
  good('a dot at the end of the domain', [root.issue(chat())], {
    domain: 'chat.example.org.',
    openssl: 'it takes dots at the end of neither',
  }),
  good('the third of four', [root.issue(dns('a.example', 'b.example', 'chat.example.org', 'c.example'))]),
  good('the hundredth', [root.issue(dns(...many(99), 'chat.example.org'))]),
  bad('name-mismatch', 'the hundred and first', [root.issue(dns(...many(100), 'chat.example.org'))], {
    text: /n4\.example\.org and 95 more/,
    openssl: 'it reads them all',
  }),
  bad('name-mismatch', 'NUL after the name', [root.issue(dns('chat.example.org\0.evil.example'))], {
    text: /chat\.example\.org\?\.evil\.example/,
  }),
  bad('name-mismatch', 'NUL at the end', [root.issue(dns('chat.example.org\0'))]),
  bad('name-mismatch', 'a line break', [root.issue(dns('chat.example.org\nfake line'))], { text: /^.+$/ }),
  good('a wildcard', [root.issue(dns('*.example.org'))]),
  bad('name-mismatch', 'a wildcard for two labels', [root.issue(dns('*.example.org'))], {
    domain: 'a.chat.example.org',
  }),
  bad('name-mismatch', 'a wildcard for none', [root.issue(dns('*.example.org'))], { domain: 'example.org' }),
  bad('name-mismatch', 'a wildcard in a label', [root.issue(dns('ch*.example.org'))], {
    openssl: 'it takes them',
  }),
  bad('name-mismatch', 'a wildcard to the right', [root.issue(dns('chat.*.org'))]),
  bad('name-mismatch', 'two wildcards', [root.issue(dns('*.*.org'))]),
  bad('name-mismatch', 'a wildcard over a registry', [root.issue(dns('*.org'))], { domain: 'example.org' }),
  bad('name-mismatch', 'a wildcard over everything', [root.issue(dns('*'))], { domain: 'localhost' }),
  good('one label', [root.issue(dns('localhost'))], { domain: 'localhost' }),
  bad('name-mismatch', 'a domain that is a wildcard', [root.issue(dns('*.example.org'))], {
    domain: '*.example.org',
    openssl: 'it compares text',
  }),
  good('A-labels for an international domain', [root.issue(dns('xn--bcher-kva.example'))], {
    domain: 'bücher.example',
    openssl: 'it compares bytes',
  }),
  good('A-labels both', [root.issue(dns('XN--BCHER-kva.example'))], { domain: 'xn--bcher-kva.example' }),
  bad('name-mismatch', 'U-labels in a dNSName', [root.issue(dns('bücher.example'))], {
    domain: 'bücher.example',
    openssl: 'it compares bytes',
  }),
  good('a wildcard for an international label', [root.issue(dns('*.example.org'))], {
    domain: 'bücher.example.org',
    openssl: 'it compares bytes',
  }),
  good('SRVName of servers', [root.issue(srv('_xmpp-server.chat.example.org'))], { openssl: noSrv }),
  good('SRVName in capitals', [root.issue(srv('_XMPP-Server.Chat.example.org'))], { openssl: noSrv }),
  bad('name-mismatch', 'SRVName of clients', [root.issue(srv('_xmpp-client.chat.example.org'))], {
    text: /no domain at all/,
  }),
  bad('name-mismatch', 'SRVName of another domain', [root.issue(srv('_xmpp-server.example.org'))]),
  good('SRVName with a wildcard', [root.issue(srv('_xmpp-server.*.example.org'))], { openssl: noSrv }),
  good('XmppAddr', [root.issue(xmpp('chat.example.org'))], { openssl: noSrv }),
  good('XmppAddr, international', [root.issue(xmpp('bücher.example'))], {
    domain: 'bücher.example',
    openssl: noSrv,
  }),
  bad('name-mismatch', 'XmppAddr, other letters', [root.issue(xmpp('bûcher.example'))], {
    domain: 'bücher.example',
  }),
  bad('name-mismatch', 'XmppAddr with a wildcard', [root.issue(xmpp('*.example.org'))]),
  bad('name-mismatch', 'XmppAddr of an account', [root.issue(xmpp('ana@chat.example.org'))], {
    text: /no domain at all/,
  }),
  good('an address', [root.issue({ commonName: 'ip', names: [{ ip: [192, 0, 2, 1] }] })], {
    domain: '192.0.2.1',
  }),
  bad(
    'name-mismatch',
    'another address',
    [root.issue({ commonName: 'ip', names: [{ ip: [192, 0, 2, 2] }] })],
    { domain: '192.0.2.1', text: /for 192\.0\.2\.2,/ },
  ),
  bad('name-mismatch', 'an address as a name', [root.issue(dns('192.0.2.1'))], { domain: '192.0.2.1' }),
  good(
    'an IPv6 address in brackets',
    [root.issue({ commonName: 'ip', names: [{ ip: [...Array.from({ length: 15 }, () => 0), 1] }] })],
    { domain: '[::1]' },
  ),
  bad('name-mismatch', 'the machine that SRV names', [root.issue(dns('xmpp1.hoster.example'))]),
  // Name constraints.
  good('within the fence', [inside.issue(chat()), inside]),
  bad('name-constraints', 'beyond the fence', [inside.issue(dns('chat.example.com')), inside], {
    domain: 'chat.example.com',
    text: /"Fenced" may not name chat\.example\.com/,
  }),
  bad('name-constraints', 'one name within, one beyond', [
    inside.issue(dns('chat.example.org', 'example.com')),
    inside,
  ]),
  bad('name-constraints', 'a name that ends alike', [inside.issue(dns('evilexample.org')), inside], {
    domain: 'evilexample.org',
  }),
  good('below the fence only', [onlyBelow.issue(chat()), onlyBelow]),
  bad('name-constraints', 'excluded', [outside.issue(chat()), outside], { text: /must not name chat/ }),
  good('not excluded', [outside.issue(dns('chat.example.com')), outside], { domain: 'chat.example.com' }),
  bad('name-constraints', 'a wildcard over what is excluded', [oneOut.issue(dns('*.example.org')), oneOut], {
    domain: 'secret.example.org',
    openssl: 'it takes the wildcard for a name',
  }),
  bad('name-constraints', 'SRVName beyond the fence', [
    nothingUnder.issue(srv('_xmpp-server.chat.example.org')),
    nothingUnder,
  ]),
  bad('name-constraints', 'XmppAddr beyond the fence', [
    nothingUnder.issue(xmpp('chat.example.org')),
    nothingUnder,
  ]),
  bad(
    'name-constraints',
    'the fence two above',
    [belowFence.issue(dns('chat.example.com')), belowFence, inside],
    { domain: 'chat.example.com' },
  ),
  good('an address within', [network.issue({ commonName: 'ip', names: [{ ip: [192, 0, 2, 7] }] }), network], {
    domain: '192.0.2.7',
  }),
  bad(
    'name-constraints',
    'an address beyond',
    [network.issue({ commonName: 'ip', names: [{ ip: [192, 0, 3, 7] }] }), network],
    { domain: '192.0.3.7' },
  ),
  good('a fence for other kinds', [mailFence.issue(chat()), mailFence]),
  bad(
    'name-constraints',
    'a fence that is not understood',
    [mailFence.issue(chat({ names: [{ email: 'a@example.org' }] })), mailFence],
    { text: /not understood/, openssl: 'it understands it' },
  ),
  good('of the company', [ofCompany.issue(chat({ organization: 'example company' })), ofCompany]),
  bad('name-constraints', 'of another company', [
    ofCompany.issue(chat({ organization: 'Other' })),
    ofCompany,
  ]),
  bad('name-constraints', 'of the company that is excluded', [
    notOfCompany.issue(chat({ organization: 'EXAMPLE COMPANY' })),
    notOfCompany,
  ]),
  bad(
    'name-constraints',
    'a fence around the anchor itself',
    [inside.issue(dns('chat.example.com')), inside],
    {
      domain: 'chat.example.com',
      trust: [inside],
    },
  ),
  good('a fence does not hold for its owner', [fencedAgain.issue(chat()), fencedAgain], {
    trust: [fencedRoot],
    openssl: wrongOne,
  }),
  bad('name-constraints', 'five hundred fences', [manyFences.issue(chat()), manyFences], {
    text: /too many/,
    openssl: 'it looks at them all',
  }),
  bad('malformed', 'a fence with a minimum', [withMinimum.issue(chat()), withMinimum]),
]
