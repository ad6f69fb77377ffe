import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StreamError, streamConditions } from '../../../src/stream/errors.js'
import { el } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'

test('RFC 6120 §4.9.3: all 25 conditions, each one element', () => {
  assert.equal(streamConditions.length, 25)
  for (const condition of streamConditions)
    assert.equal(
      new StreamError(condition).toXml(),
      `<stream:error><${condition} xmlns='${NS.streamErrors}'/></stream:error>`,
    )
})

test('RFC 6120 §4.9.2: condition, text and application condition in this order', () => {
  assert.equal(
    new StreamError('undefined-condition', 'a & b', el('too-high', 'urn:example', { h: 3 })).toXml(),
    `<stream:error><undefined-condition xmlns='${NS.streamErrors}'/>` +
      `<text xmlns='${NS.streamErrors}' xml:lang='en'>a &amp; b</text>` +
      '<too-high xmlns="urn:example" h="3"/></stream:error>',
  )
})

test('RFC 6120 §4.9.3.19: only see-other-host names a host', () => {
  const error = new StreamError('see-other-host', undefined, undefined, '[2001:db8::1]:5222')
  assert.match(error.toXml(), />\[2001:db8::1\]:5222<\/see-other-host>/)
  assert.doesNotMatch(new StreamError('reset', undefined, undefined, 'a.example').toXml(), /a\.example/)
})
