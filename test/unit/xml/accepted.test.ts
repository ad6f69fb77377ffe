import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cuts, read, STREAM } from './reading.js'

/** Stanzas, and the text of the tree that must come of them. */
const stanzas: [input: string, tree: string][] = [
  [`<message/>`, `<message xmlns="jabber:client"/>`],
  [`<message />`, `<message xmlns="jabber:client"/>`],
  [`<message\t\r\n/>`, `<message xmlns="jabber:client"/>`],
  [`<message></message>`, `<message xmlns="jabber:client"/>`],
  [`<message></message \t\r\n>`, `<message xmlns="jabber:client"/>`],
  [`<message  id = 'a'\n\tto\t=\n"b" ></message>`, `<message xmlns="jabber:client" id="a" to="b"/>`],
  [`<message id=''/>`, `<message xmlns="jabber:client" id=""/>`],
  [`<message id='"'/>`, `<message xmlns="jabber:client" id="&quot;"/>`],
  [`<message id="'"/>`, `<message xmlns="jabber:client" id="&apos;"/>`],
  [`<message id='>'/>`, `<message xmlns="jabber:client" id="&gt;"/>`],
  [`<message id=']]>'/>`, `<message xmlns="jabber:client" id="]]&gt;"/>`],
  [`<message><a b='/>'/></message>`, `<message xmlns="jabber:client"><a b="/&gt;"/></message>`],
  [`<message><a b='=' c=' '/></message>`, `<message xmlns="jabber:client"><a b="=" c=" "/></message>`],
  [
    `<message id='&lt;&amp;&gt;&quot;&apos;'/>`,
    `<message xmlns="jabber:client" id="&lt;&amp;&gt;&quot;&apos;"/>`,
  ],
  [`<message id='&amp;lt;'/>`, `<message xmlns="jabber:client" id="&amp;lt;"/>`],
  [`<message id='a\tb\nc\rd\r\ne'/>`, `<message xmlns="jabber:client" id="a b c d e"/>`],
  [`<message><a b='a\tb\nc\r\nd'/></message>`, `<message xmlns="jabber:client"><a b="a b c d"/></message>`],
  [`<message id='a&#9;b&#xA;c&#xD;d'/>`, `<message xmlns="jabber:client" id="a&#x9;b&#xA;c&#xD;d"/>`],
  [`<message>a > b</message>`, `<message xmlns="jabber:client">a &gt; b</message>`],
  [`<message>]]</message>`, `<message xmlns="jabber:client">]]</message>`],
  [`<message>]] ></message>`, `<message xmlns="jabber:client">]] &gt;</message>`],
  [`<message>]]&gt;</message>`, `<message xmlns="jabber:client">]]&gt;</message>`],
  [`<message>]]<a/>></message>`, `<message xmlns="jabber:client">]]<a/>&gt;</message>`],
  [`<message>"'</message>`, `<message xmlns="jabber:client">"'</message>`],
  [`<message>a\r\nb\rc\nd\te</message>`, `<message xmlns="jabber:client">a\nb\nc\nd\te</message>`],
  [`<message>a&#13;&#10;b</message>`, `<message xmlns="jabber:client">a&#xD;\nb</message>`],
  [`<message>&#65;&#x41;&#x00000041;&#0065;</message>`, `<message xmlns="jabber:client">AAAA</message>`],
  [`<message>&#x1F600;&#128512;&#xd7ff;&#xE000;&#xFFFD;&#x10FFFF;</message>`, ``],
  [`<message>&#38;amp;&#60;</message>`, `<message xmlns="jabber:client">&amp;amp;&lt;</message>`],
  [`<message>\x7f&#x7F;\u{85}&#x85;</message>`, ``],
  [
    `<message><![CDATA[<a b='c'>&amp;]]></message>`,
    `<message xmlns="jabber:client">&lt;a b='c'&gt;&amp;amp;</message>`,
  ],
  [`<message><![CDATA[]]></message>`, `<message xmlns="jabber:client"/>`],
  [`<message><![CDATA[]]]]></message>`, `<message xmlns="jabber:client">]]</message>`],
  [`<message><![CDATA[]>]]]><a/></message>`, `<message xmlns="jabber:client">]&gt;]<a/></message>`],
  [`<message>a<![CDATA[b]]>c<![CDATA[d]]></message>`, `<message xmlns="jabber:client">abcd</message>`],
  [`<message><![CDATA[a\r\nb\r]]></message>`, `<message xmlns="jabber:client">a\nb\n</message>`],
  [`<message><![CDATA[]]]]><![CDATA[>]]></message>`, `<message xmlns="jabber:client">]]&gt;</message>`],
  [`<message><body>Grüße, Ромео 💜</body></message>`, ``],
  [`<message id='ü' to='Ромео'/>`, ``],
  [`<message><ünï cödé='x'/></message>`, `<message xmlns="jabber:client"><ünï cödé="x"/></message>`],
  [`<message><名前>x</名前></message>`, `<message xmlns="jabber:client"><名前>x</名前></message>`],
  [`<message><a·b-c.d_e1/></message>`, `<message xmlns="jabber:client"><a·b-c.d_e1/></message>`],
  [`<message>\ufeff</message>`, `<message xmlns="jabber:client">\ufeff</message>`],
  [`<message>\ud7ff\ue000\ufffd\u{10ffff}</message>`, ``],
  [
    `<message __proto__='a' constructor='b' toString='c'/>`,
    `<message xmlns="jabber:client" __proto__="a" constructor="b" toString="c"/>`,
  ],
  [
    `<message><__proto__ hasOwnProperty='x'/></message>`,
    `<message xmlns="jabber:client"><__proto__ hasOwnProperty="x"/></message>`,
  ],
  [`<message xmlns='jabber:client'/>`, `<message xmlns="jabber:client"/>`],
  [`<message xmlns='jabber:server'><a/></message>`, `<message xmlns="jabber:server"><a/></message>`],
  [`<message xmlns=''><a/></message>`, `<message><a/></message>`],
  [
    `<message><a xmlns=''><b/></a></message>`,
    `<message xmlns="jabber:client"><a xmlns=""><b/></a></message>`,
  ],
  [
    `<message><a xmlns='urn:a'><b xmlns='urn:b'/><c/></a><d/></message>`,
    `<message xmlns="jabber:client"><a xmlns="urn:a"><b xmlns="urn:b"/><c/></a><d/></message>`,
  ],
  [
    `<message><p:a xmlns:p='urn:p'><p:b/></p:a></message>`,
    `<message xmlns="jabber:client"><p:a xmlns:p="urn:p"><p:b/></p:a></message>`,
  ],
  [
    `<message xmlns:p='urn:p'><p:a/><b p:c='d'/></message>`,
    `<message xmlns="jabber:client"><p:a xmlns:p="urn:p"/><b xmlns:p="urn:p" p:c="d"/></message>`,
  ],
  [`<message xmlns:p='urn:p' p:a='b'/>`, `<message xmlns="jabber:client" xmlns:p="urn:p" p:a="b"/>`],
  [
    `<message><stream:a/></message>`,
    `<message xmlns="jabber:client"><stream:a xmlns:stream="http://etherx.jabber.org/streams"/></message>`,
  ],
  [
    `<stream:error><gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><x/></stream:error>`,
    `<error xmlns="http://etherx.jabber.org/streams"><gone xmlns="urn:ietf:params:xml:ns:xmpp-streams"/><x xmlns="jabber:client"/></error>`,
  ],
  [
    `<p:message xmlns:p='jabber:client'><body/></p:message>`,
    `<message xmlns="jabber:client"><body/></message>`,
  ],
  [
    `<p:a xmlns:p='urn:p' xmlns='urn:d'>t<b/><p:c/></p:a>`,
    `<a xmlns="urn:p">t<b xmlns="urn:d"/><p:c xmlns="urn:d" xmlns:p="urn:p"/></a>`,
  ],
  [
    `<message><a xmlns:p='urn:p' xmlns:q='urn:q' p:x='1' q:x='2' x='3'/></message>`,
    `<message xmlns="jabber:client"><a xmlns:p="urn:p" xmlns:q="urn:q" p:x="1" q:x="2" x="3"/></message>`,
  ],
  [
    `<message><p:a xmlns:p='urn:1'><p:b xmlns:p='urn:2'/><p:c/></p:a></message>`,
    `<message xmlns="jabber:client"><p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"/><p:c/></p:a></message>`,
  ],
  [
    `<message><a p:b='c' xmlns:p='urn:p'/></message>`,
    `<message xmlns="jabber:client"><a p:b="c" xmlns:p="urn:p"/></message>`,
  ],
  [
    `<message xml:lang='en'><body xml:lang='de'>a</body></message>`,
    `<message xmlns="jabber:client" xml:lang="en"><body xml:lang="de">a</body></message>`,
  ],
  [
    `<message><a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='x'/></message>`,
    `<message xmlns="jabber:client"><a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="x"/></message>`,
  ],
  [`<message> <a/> <b> </b> </message>`, `<message xmlns="jabber:client"> <a/> <b> </b> </message>`],
  [`<message><a/><a></a><a>1</a></message>`, `<message xmlns="jabber:client"><a/><a/><a>1</a></message>`],
  [`<message><a><a><a/></a></a></message>`, `<message xmlns="jabber:client"><a><a><a/></a></a></message>`],
  [`<xmlish/>`, `<xmlish xmlns="jabber:client"/>`],
  [`<message xmlnsx='a' xml='b'/>`, `<message xmlns="jabber:client" xmlnsx="a" xml="b"/>`],
]

for (const [input, tree] of stanzas) {
  test(JSON.stringify(input), () => {
    const bytes = Buffer.from(STREAM + input)
    const whole = read([bytes])
    assert.equal(whole.fault, undefined)
    assert.equal(whole.pending, 0)
    // Without a given text the input stands for itself: its only difference may be the namespace and how it is quoted.
    if (tree) assert.equal(whole.events[1], `element ${tree}`)
    else assert.equal(whole.events[1], `element ${standing(input)}`)
    for (const chunks of cuts(bytes)) assert.deepEqual(read(chunks), whole)
  })
}

function standing(input: string): string {
  return input
    .replaceAll(/&#(?:x([0-9a-fA-F]+)|([0-9]+));/g, (_, hex: string, decimal: string) =>
      String.fromCodePoint(hex ? Number.parseInt(hex, 16) : Number(decimal)),
    )
    .replaceAll("'", '"')
    .replace('<message', '<message xmlns="jabber:client"')
}

/** Streams that are sound as they stand: what precedes and what makes a header. */
const streams: [input: string, events: string[]][] = [
  [`${STREAM}</stream:stream>`, ['header', 'end']],
  [`${STREAM}</stream:stream>\r\n \t`, ['header', 'end']],
  [`${STREAM}</stream:stream \n>`, ['header', 'end']],
  [` \r\n\t${STREAM}`, ['header']],
  [`<?xml version='1.0'?>${STREAM}`, ['header']],
  [`<?xml version="1.0" encoding='utf-8' ?>\n${STREAM}`, ['header']],
  [`<?xml\tversion = "1.0"\nencoding = "UTF-8" standalone='yes'?>${STREAM}`, ['header']],
  // RFC 6120 §11.5: `no` may be ignored.
  [`<?xml version='1.0' standalone='no'?>${STREAM}`, ['header']],
  [`<stream/>`, ['header', 'end']],
  [`<stream:stream xmlns:stream='urn:x'/> \n`, ['header', 'end']],
  [`<wrong xmlns='urn:x'>`, ['header']],
  [`<ü:stream xmlns:ü='urn:ü'></ü:stream>`, ['header', 'end']],
  [`${STREAM}   <iq/>\n<iq/> `, ['header', 'element', 'element']],
]

for (const [input, events] of streams) {
  test(JSON.stringify(input), () => {
    const bytes = Buffer.from(input)
    const whole = read([bytes])
    assert.equal(whole.fault, undefined)
    assert.deepEqual(
      whole.events.map((event) => event.split(' ')[0]),
      events,
    )
    for (const chunks of cuts(bytes)) assert.deepEqual(read(chunks), whole)
  })
}

test('a header tells its prefix, namespaces and attributes', () => {
  const { events } = read([
    Buffer.from(
      `<s:stream to='a&amp;b' xmlns='jabber:server' xmlns:s='urn:s' xmlns:db='jabber:server:dialback' xml:lang='de' db:x='1'>`,
    ),
  ])
  const attrs = { to: 'a&b', 'xml:lang': 'de', 'db:x': '1' }
  const header = { prefix: 's', local: 'stream', ns: 'urn:s', contentNs: 'jabber:server', attrs }
  assert.deepEqual(events, [`header ${JSON.stringify(header)}`])
})

test('a header without content namespace gives its children none', () => {
  const { events } = read([Buffer.from(`<s:stream xmlns:s='urn:s'><open xmlns='urn:o'/><s:x/><y/>`)])
  assert.deepEqual(events.slice(1), [
    `element <open xmlns="urn:o"/>`,
    `element <x xmlns="urn:s"/>`,
    `element <y/>`,
  ])
})
