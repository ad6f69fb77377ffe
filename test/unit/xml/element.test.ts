import assert from 'node:assert/strict'
import { test } from 'node:test'
import xml, { Element as SharedElement } from '@xmpp/xml'
import { el, Element } from '../../../src/xml/element.js'
import { parseElement } from '../../../src/xml/parser.js'
import { escapeAttribute, escapeText, serialise } from '../../../src/xml/write.js'

test('el builds an element and leaves out what is undefined', () => {
  const last = el('query', 'jabber:iq:last', { seconds: 3, ver: undefined }, 'away', undefined, el('x'))
  assert.equal(last.toString(), '<query xmlns="jabber:iq:last" seconds="3">away<x/></query>')
  assert.equal(el('a').toString(), '<a/>')
  assert.equal(el('a', undefined, { b: '' }, '').toString(), '<a b=""/>')
})

test('an element answers for its name, namespace, text and children', () => {
  const iq = el(
    'iq',
    'jabber:client',
    {},
    'a',
    el('p:query', undefined, { 'xmlns:p': 'urn:p' }, 'b'),
    'c',
    el('query'),
  )
  assert.deepEqual([iq.text, iq.ns, iq.local], ['ac', 'jabber:client', 'iq'])
  assert.deepEqual([iq.child('query')?.name, iq.child('query')?.ns], ['p:query', 'urn:p'])
  assert.equal(iq.child('query', 'jabber:client')?.name, 'query')
  assert.equal(iq.child('query', 'urn:q'), undefined)
  assert.equal(iq.childrenOf().length, 2)
  assert.equal(iq.childrenOf('query').length, 2)
  assert.equal(iq.childrenOf('query', 'urn:p').length, 1)
  assert.equal(iq.childrenOf(undefined, 'jabber:client').length, 1)
})

test('an element is an ltx element to code written for ltx', () => {
  const message = parseElement(
    `<message xmlns='jabber:client' to='a'><body>hi</body><x xmlns='urn:x' y='z'/></message>`,
  )
  assert.ok(message instanceof SharedElement)
  assert.ok(message.is('message', 'jabber:client'))
  assert.equal(message.getChildText('body'), 'hi')
  assert.equal(message.getChild('x', 'urn:x')?.attrs['y'], 'z')
  assert.equal(message.getChild('x')?.parent, message)
  assert.equal(message.getChildElements().length, 2)
  assert.equal(message.getAttr('to'), 'a')
  message.c('more', { a: 'b' }).t('text').up().remove('body')
  assert.equal(
    message.toString(),
    '<message xmlns="jabber:client" to="a"><x xmlns="urn:x" y="z"/><more a="b">text</more></message>',
  )
})

test('trees of xml() mix with ours', () => {
  const theirs = xml('a', { xmlns: 'urn:a' }, xml('b', {}, 'text'), el('c'))
  assert.equal(serialise(theirs, ''), '<a xmlns="urn:a"><b>text</b><c/></a>')
  const ours = el('x', 'urn:x')
  ours.cnode(theirs)
  assert.equal(ours.child('a')?.child('b', 'urn:a')?.text, 'text')
  assert.equal(Element.from(theirs).toString(), '<a xmlns="urn:a"><b>text</b><c/></a>')
})

test('attributes inherit nothing', () => {
  const plain = parseElement(`<a __proto__='x'/>`)
  for (const inherited of ['constructor', 'toString', 'hasOwnProperty'])
    assert.ok(!(inherited in plain.attrs))
  plain.attrs['__proto__'] = 'y'
  assert.deepEqual(Object.entries(plain.attrs), [
    ['xmlns', ''],
    ['__proto__', 'y'],
  ])
  assert.equal(el('a').attrs['constructor'], undefined)
  assert.equal(plain.getAttr('toString'), undefined)
  assert.equal(
    el('a', undefined, JSON.parse('{"__proto__":"x"}') as Record<string, string>).toString(),
    '<a __proto__="x"/>',
  )
})

test('serialise leaves out the namespace that is inherited anyway', () => {
  const message = el(
    'message',
    'jabber:client',
    {},
    el('body', 'jabber:client'),
    el('x', 'urn:x', {}, el('y', 'urn:x')),
  )
  assert.equal(serialise(message, 'jabber:client'), '<message><body/><x xmlns="urn:x"><y/></x></message>')
  assert.equal(
    serialise(message, ''),
    '<message xmlns="jabber:client"><body/><x xmlns="urn:x"><y/></x></message>',
  )
  assert.equal(serialise(el('a', '', {}, el('b', 'urn:b')), 'urn:b'), '<a xmlns=""><b xmlns="urn:b"/></a>')
  assert.equal(serialise(el('a'), 'urn:b'), '<a/>')
})

test('serialise writes in what was declared further up', () => {
  const root = parseElement(
    `<r xmlns='urn:r' xmlns:p='urn:p' xmlns:q='urn:q' xmlns:s='urn:s'><a><p:b q:c='d'/></a></r>`,
  )
  const a = root.child('a')!
  assert.equal(serialise(a, 'urn:r'), '<a xmlns:p="urn:p" xmlns:q="urn:q"><p:b q:c="d"/></a>')
  assert.equal(serialise(a, 'urn:x'), '<a xmlns="urn:r" xmlns:p="urn:p" xmlns:q="urn:q"><p:b q:c="d"/></a>')
})

test('escaping keeps every character that XML allows and replaces the others', () => {
  assert.equal(escapeText(`a<b>&"'\t\n\r`), `a&lt;b&gt;&amp;"'\t\n&#xD;`)
  assert.equal(escapeAttribute(`a<b>&"'\t\n\r`), `a&lt;b&gt;&amp;&quot;&apos;&#x9;&#xA;&#xD;`)
  assert.equal(
    escapeText('\0\x08\x0b\x1f\ufffe\uffff\ud800\udc00\ud800'),
    `${'\ufffd'.repeat(6)}\ud800\udc00\ufffd`,
  )
  assert.equal(escapeAttribute('\udc00\x7f💜'), '\ufffd\x7f💜')
})

test('text taken from a large element does not keep its source alive', () => {
  // Nothing in the language tells what a string keeps; this checks that the copies are right.
  const long = `<a xmlns='urn:a'>${'<b long-attribute-name="a long attribute value">a text of some length ü 💜</b>'.repeat(100)}</a>`
  const tree = parseElement(long)
  assert.equal(tree.childrenOf('b').length, 100)
  const b = tree.childrenOf('b')[99]!
  assert.equal(b.attrs['long-attribute-name'], 'a long attribute value')
  assert.equal(b.text, 'a text of some length ü 💜')
})
