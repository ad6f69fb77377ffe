import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  contentOf,
  DerError,
  membersOf,
  readBoolean,
  readElements,
  readNumber,
  readOid,
  readTime,
} from '../../../src/tls/der.js'
import { der, oid, sequence } from '../../support/test-ca.js'

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')
const one = (hex: string) => readElements(bytes(hex))[0]

test('elements follow each other, of any length', () => {
  for (const length of [0, 1, 127, 128, 255, 256, 65_535]) {
    const content = Buffer.alloc(length, 7)
    const [first, second, ...more] = readElements(Buffer.concat([der(4, content), der(5, Buffer.alloc(0))]))
    assert.deepEqual([first?.tag, second?.tag, more.length], [4, 5, 0])
    assert.ok(first?.content.equals(content))
  }
  assert.deepEqual(readElements(Buffer.alloc(0)), [])
})

test('what is not DER is refused', () => {
  for (const [why, hex] of [
    ['no length', '04'],
    ['content cut short', '04 02 00'],
    ['length cut short', '04 82 01'],
    ['the indefinite form', '30 80 00 00'],
    ['a length longer than need be', '04 81 01 00'],
    ['a length with a zero before', `04 82 00 80 ${'00'.repeat(128)}`],
    ['a length of five bytes', '04 85 00 00 00 00 01 00'],
    ['a long tag', '1f 01 00'],
  ] as const)
    assert.throws(() => readElements(bytes(hex)), DerError, why)
  assert.throws(() => contentOf(bytes('04 00 04 00'), 4), DerError, 'bytes left over')
  assert.throws(() => contentOf(bytes('04 00'), 5), DerError, 'another tag')
  assert.throws(() => membersOf(bytes('31 00')), DerError, 'a set for a sequence')
})

test('object identifiers', () => {
  for (const dotted of ['1.2.840.113549.1.1.11', '2.5.29.17', '0.9.2342', '1.3.6.1.5.5.7.8.5'])
    assert.equal(readOid(readElements(oid(dotted))[0]), dotted)
  assert.equal(readOid(one('06 03 88 37 01')), '2.999.1')
  for (const hex of ['06 00', '06 01 80', '06 02 2a 86', '04 01 2a', `06 0a ${'ff'.repeat(9)}7f`])
    assert.throws(() => readOid(one(hex)), DerError, hex)
  assert.throws(() => readOid(undefined), DerError)
})

test('booleans and numbers', () => {
  assert.equal(readBoolean(one('01 01 ff')), true)
  assert.equal(readBoolean(one('01 01 00')), false)
  for (const hex of ['01 01 01', '01 00', '01 02 ff ff', '02 01 ff'])
    assert.throws(() => readBoolean(one(hex)), DerError)
  assert.equal(readNumber(one('02 01 00')), 0)
  assert.equal(readNumber(one('02 02 01 00')), 256)
  assert.equal(readNumber(one(`02 09 01${'00'.repeat(8)}`)), Infinity)
  for (const hex of ['02 00', '02 01 ff', '01 01 ff']) assert.throws(() => readNumber(one(hex)), DerError)
})

function utc(text: string): number {
  return readTime(readElements(der(0x17, Buffer.from(text)))[0])
}

function generalized(text: string): number {
  return readTime(readElements(der(0x18, Buffer.from(text)))[0])
}

test('times, of both kinds and on the calendar', () => {
  assert.equal(utc('491231235959Z'), Date.UTC(2049, 11, 31, 23, 59, 59))
  assert.equal(utc('500101000000Z'), Date.UTC(1950, 0, 1))
  assert.equal(generalized('20500101000000Z'), Date.UTC(2050, 0, 1))
  assert.equal(generalized('99991231235959Z'), Date.UTC(9999, 11, 31, 23, 59, 59))
  for (const text of [
    '4912312359Z',
    '491231235959',
    '491231235959+0100',
    '491331235959Z',
    '20491231235959Z',
    '',
  ])
    assert.throws(() => utc(text), DerError, text)
  for (const text of ['491231235959Z', '20500101000000.5Z', '20500101006000Z'])
    assert.throws(() => generalized(text), DerError, text)
  assert.throws(() => readTime(readElements(sequence())[0]), DerError)
})

test('nothing but DerError comes of any bytes', () => {
  const read = (whole: Buffer) => {
    try {
      for (const element of readElements(whole)) read(element.content)
    } catch (error) {
      assert.ok(error instanceof DerError)
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (random) => read(Buffer.from(random))))
})
