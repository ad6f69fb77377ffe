import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NS } from '../../../src/xml/namespaces.js'
import { wordAt, wordIn } from '../../../src/xml/words.js'

test('what is found is what stands there, and common words are found', () => {
  const words = [
    ...Object.values(NS),
    'message',
    'body',
    'xml:lang',
    'to',
    'from',
    'id',
    'type',
    'xmlns',
    'chat',
    'c',
  ]
  let found = 0
  for (const word of words) {
    const text = `<${word}>`
    const known = wordIn(text, 1, text.length - 1)
    assert.equal(wordAt(Buffer.from(text), 1, text.length - 1), known)
    if (known === undefined) continue
    found++
    assert.equal(known, word)
  }
  assert.ok(found >= words.length * 0.95, `${found} of ${words.length}`)
})

test('what is only like a word is none', () => {
  for (const word of [
    '',
    'messages',
    'messag',
    'Message',
    'mexsage',
    'jabber:clienT',
    '\u016do',
    'boby',
    'm\u00e9ssage',
  ]) {
    assert.equal(wordIn(word, 0, word.length), undefined)
    const bytes = Buffer.from(word)
    assert.equal(wordAt(bytes, 0, bytes.length), undefined)
  }
})
