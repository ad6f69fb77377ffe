import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pictureOf } from '../../../src/stanza/image.js'
import {
  dataElement,
  infoOf,
  metadataElement,
  photoElement,
  photoOfCard,
  photoOfData,
} from '../../../src/stanza/photo.js'
import { vcard4Of, vcardTempOf } from '../../../src/modules/profiles/vcard4.js'
import { parseElement } from '../../../src/xml/parser.js'
import { Dice } from '../../support/dice.js'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
/** The beginnings of pictures of 3 by 2 pixels. */
const pictures = {
  'image/png': hex('89504e470d0a1a0a 0000000d 49484452 00000003 00000002 08060000 00'),
  'image/gif': hex('474946383961 0300 0200 f00000'),
  'image/jpeg': hex('ffd8 ffe0 0004 4a46 ffff ffc4 0003 00 ffc2 000b 08 0002 0003 01 011100'),
  'image/webp': Buffer.concat([
    Buffer.from('RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0', 'latin1'),
    hex('00000000 020000 010000'),
  ]),
}
const webpLossy = Buffer.concat([
  Buffer.from('RIFF\x20\0\0\0WEBPVP8 \x0a\0\0\0', 'latin1'),
  hex('000000 9d012a 0300 0200'),
])
const webpLossless = Buffer.concat([
  Buffer.from('RIFF\x20\0\0\0WEBPVP8L\x0a\0\0\0', 'latin1'),
  hex('2f 02400000 0000000000'),
])

test('what a picture is, and how large, stands at its beginning', () => {
  for (const [type, bytes] of Object.entries(pictures))
    assert.deepEqual(pictureOf(bytes), { type, width: 3, height: 2 })
  for (const bytes of [webpLossy, webpLossless])
    assert.deepEqual(pictureOf(bytes), { type: 'image/webp', width: 3, height: 2 })
})

test('a picture that ends too early has its type, or none; nothing else is one', () => {
  for (const [type, whole] of Object.entries(pictures))
    for (let length = 0; length < whole.length; length++) {
      const found = pictureOf(whole.subarray(0, length))
      assert.ok(found === undefined || found.type === type)
    }
  for (const text of ['', '<svg/>', '%PDF-1.4', 'GIF90a\x03\0\x02\0', 'RIFFxxxxWAVEfmt '])
    assert.equal(pictureOf(Buffer.from(text, 'latin1')), undefined)
})

test('no bytes make reading a picture throw or go on for ever', () => {
  const dice = new Dice(153)
  for (const whole of [...Object.values(pictures), webpLossy, webpLossless])
    for (let round = 0; round < 500; round++) {
      const bytes = Buffer.concat([whole, Buffer.alloc(40)])
      for (let changes = dice.below(6); changes >= 0; changes--)
        bytes[dice.below(bytes.length)] = dice.below(256)
      const found = pictureOf(bytes.subarray(0, dice.below(bytes.length + 1)))
      assert.ok(found === undefined || /^image\/\w+$/.test(found.type))
      if (found?.width !== undefined) assert.ok(found.width > 0 && found.height! > 0)
    }
})

const base64 = pictures['image/png'].toString('base64')
const card = (photo: string) => parseElement(`<vCard xmlns='vcard-temp'><FN>Juliet</FN>${photo}</vCard>`)

test('XEP-0153 §4.5, §4.6, §5: a photo of a card, with white space, whatever type it claims', () => {
  const broken = base64.replaceAll(/(.{10})/g, '$1\r\n ')
  for (const photo of [
    `<PHOTO><TYPE>image/jpeg</TYPE><BINVAL>${base64}</BINVAL></PHOTO>`,
    `<PHOTO><BINVAL>\n${broken}\t</BINVAL></PHOTO>`,
  ]) {
    const found = photoOfCard(card(photo))
    assert.ok(typeof found === 'object')
    assert.deepEqual(found.bytes, pictures['image/png'])
    assert.deepEqual([found.type, found.id], ['image/png', 'd5b3e21cdc689f09706a24b0ab2b3364d64b321c'])
  }
})

test('XEP-0153 §4.5: no photo, an empty one, and what is none', () => {
  for (const photo of [
    '',
    '<PHOTO/>',
    '<PHOTO><TYPE>image/png</TYPE><BINVAL/></PHOTO>',
    '<PHOTO><BINVAL> \n</BINVAL></PHOTO>',
  ])
    assert.equal(photoOfCard(card(photo)), 'absent', photo)
  for (const photo of [
    '<PHOTO><EXTVAL>https://capulet.example/juliet.png</EXTVAL></PHOTO>',
    '<PHOTO><BINVAL>%%%%</BINVAL></PHOTO>',
    '<PHOTO><BINVAL>AAA</BINVAL></PHOTO>',
    '<PHOTO><BINVAL>AAAA</BINVAL></PHOTO>',
    '<PHOTO><TYPE>text/html</TYPE><BINVAL>AAAA</BINVAL></PHOTO>',
  ])
    assert.equal(photoOfCard(card(photo)), 'unfit', photo)
  const named = photoOfCard(card('<PHOTO><TYPE>image/avif</TYPE><BINVAL>AAAA</BINVAL></PHOTO>'))
  assert.ok(typeof named === 'object' && named.type === 'image/avif')
})

test('XEP-0398: a photo goes there and back unchanged', () => {
  const photo = photoOfCard(card(`<PHOTO><BINVAL>${base64}</BINVAL></PHOTO>`))
  assert.ok(typeof photo === 'object')
  assert.deepEqual(photoOfData(dataElement(photo), 'image/png'), photo)
  const { attrs } = metadataElement(photo).child('info')!
  assert.deepEqual({ ...attrs }, { bytes: '29', id: photo.id, type: 'image/png', width: '3', height: '2' })
  assert.deepEqual(infoOf(metadataElement(photo)), { id: photo.id, type: 'image/png' })
  const again = photoOfCard(card(photoElement(photo).toString()))
  assert.deepEqual(again, photo)
  assert.equal(infoOf(metadataElement()), undefined)
})

test('XEP-0398 §3.1: the picture that is not at a URL counts', () => {
  const metadata = (infos: string) =>
    parseElement(`<metadata xmlns='urn:xmpp:avatar:metadata'>${infos}</metadata>`)
  const [one, other] = ['a'.repeat(40), 'B'.repeat(40)]
  assert.deepEqual(
    infoOf(
      metadata(`<info id='${one}' url='https://capulet.example/a'/><info id='${other}' type='image/gif'/>`),
    ),
    { id: other, type: 'image/gif' },
  )
  for (const infos of [
    '',
    `<info id='${one}' url=''/>`,
    `<info/>`,
    `<info id='short'/>`,
    `<info id='${'g'.repeat(40)}'/>`,
  ])
    assert.equal(infoOf(metadata(infos)), undefined)
})

const old = `<vCard xmlns='vcard-temp'>
  <FN>Peter Saint-Andre</FN><N><FAMILY>Saint-Andre</FAMILY><GIVEN>Peter</GIVEN><MIDDLE/></N>
  <NICKNAME>stpeter</NICKNAME><NICKNAME>psa</NICKNAME>
  <PHOTO><EXTVAL>http://stpeter.im/images/stpeter_oscon.jpg</EXTVAL></PHOTO><BDAY>1966-08-06</BDAY>
  <ADR><WORK/><PREF/><POSTAL/><EXTADD>Suite 600</EXTADD><STREET>1899 Wynkoop Street</STREET><LOCALITY>Denver</LOCALITY><CTRY>USA</CTRY></ADR>
  <TEL><CELL/><VOICE/><NUMBER>+1 720 256-6756</NUMBER></TEL><TEL><HOME/><NUMBER>ask me</NUMBER></TEL><TEL><WORK/><NUMBER/></TEL>
  <EMAIL><INTERNET/><PREF/><USERID>stpeter@jabber.org</USERID></EMAIL>
  <JABBERID>stpeter@jabber.org</JABBERID><TZ>America/Denver</TZ><GEO><LAT>39.59</LAT><LON>-105.01</LON></GEO>
  <TITLE>Executive Director</TITLE><ORG><ORGNAME>XSF</ORGNAME><ORGUNIT>Board</ORGUNIT><ORGUNIT>Council</ORGUNIT></ORG>
  <CATEGORIES><KEYWORD>saints</KEYWORD></CATEGORIES><URL>https://stpeter.im/</URL>
  <KEY><TYPE>x</TYPE><CRED>PGP</CRED></KEY><DESC>More &lt;information&gt;</DESC><MAILER>none</MAILER><__proto__/>
</vCard>`

test('XEP-0292 §11: what vcard-temp says is said in vCard4', () => {
  const text = (name: string, value: string) => `<${name}><text>${value}</text></${name}>`
  assert.equal(
    vcard4Of(parseElement(old))?.toString(),
    [
      '<vcard xmlns="urn:ietf:params:xml:ns:vcard-4.0">',
      text('fn', 'Peter Saint-Andre'),
      '<n><surname>Saint-Andre</surname><given>Peter</given><additional/><prefix/><suffix/></n>',
      text('nickname', 'stpeter'),
      text('nickname', 'psa'),
      '<bday><date>1966-08-06</date></bday>',
      '<adr><parameters><type><text>work</text></type><pref><integer>1</integer></pref></parameters><pobox/>',
      '<ext>Suite 600</ext><street>1899 Wynkoop Street</street><locality>Denver</locality><region/><code/><country>USA</country></adr>',
      '<tel><parameters><type><text>voice</text><text>cell</text></type></parameters><uri>tel:+1-720-256-6756</uri></tel>',
      '<tel><parameters><type><text>home</text></type></parameters><text>ask me</text></tel>',
      '<email><parameters><pref><integer>1</integer></pref></parameters><text>stpeter@jabber.org</text></email>',
      '<impp><uri>xmpp:stpeter@jabber.org</uri></impp>',
      text('tz', 'America/Denver'),
      '<geo><uri>geo:39.59,-105.01</uri></geo>',
      text('title', 'Executive Director'),
      '<org><text>XSF</text><text>Board</text><text>Council</text></org>',
      text('categories', 'saints'),
      '<url><uri>https://stpeter.im/</uri></url>',
      text('key', 'PGP'),
      text('note', 'More &lt;information&gt;'),
      '</vcard>',
    ].join(''),
  )
})

test('XEP-0292 §11: what vCard4 says is said in vcard-temp, and stays the same when it goes back', () => {
  const new4 = vcard4Of(parseElement(old))!
  const back = vcardTempOf(new4)!
  assert.equal(
    back.toString(),
    [
      '<vCard xmlns="vcard-temp"><FN>Peter Saint-Andre</FN><N><FAMILY>Saint-Andre</FAMILY><GIVEN>Peter</GIVEN></N>',
      '<NICKNAME>stpeter</NICKNAME><NICKNAME>psa</NICKNAME><BDAY>1966-08-06</BDAY>',
      '<ADR><PREF/><WORK/><EXTADD>Suite 600</EXTADD><STREET>1899 Wynkoop Street</STREET><LOCALITY>Denver</LOCALITY><CTRY>USA</CTRY></ADR>',
      '<TEL><VOICE/><CELL/><NUMBER>+1-720-256-6756</NUMBER></TEL><TEL><HOME/><NUMBER>ask me</NUMBER></TEL>',
      '<EMAIL><PREF/><INTERNET/><USERID>stpeter@jabber.org</USERID></EMAIL><JABBERID>stpeter@jabber.org</JABBERID>',
      '<TZ>America/Denver</TZ><GEO><LAT>39.59</LAT><LON>-105.01</LON></GEO><TITLE>Executive Director</TITLE>',
      '<ORG><ORGNAME>XSF</ORGNAME><ORGUNIT>Board</ORGUNIT><ORGUNIT>Council</ORGUNIT></ORG>',
      '<CATEGORIES><KEYWORD>saints</KEYWORD></CATEGORIES><URL>https://stpeter.im/</URL><KEY><CRED>PGP</CRED></KEY>',
      '<DESC>More &lt;information&gt;</DESC></vCard>',
    ].join(''),
  )
  assert.equal(vcard4Of(parseElement(back.toString()))?.toString(), new4.toString())
})

test('a card with nothing to say in the other format is none there', () => {
  assert.equal(
    vcard4Of(parseElement("<vCard xmlns='vcard-temp'><FN> </FN><MAILER>x</MAILER></vCard>")),
    undefined,
  )
  assert.equal(
    vcardTempOf(
      parseElement(
        "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><gender><sex><text>M</text></sex></gender><fn xmlns='x'/></vcard>",
      ),
    ),
    undefined,
  )
})

test('cards of rubbish are converted into something or nothing, and well-formed', () => {
  const dice = new Dice(292)
  const names = ['FN', 'N', 'ADR', 'TEL', 'EMAIL', 'GEO', 'ORG', 'KEY', 'LOGO', 'DESC', 'CATEGORIES', 'NUMBER', 'LAT', 'LON',
    'ORGNAME', 'EXTVAL', 'USERID', 'HOME', 'constructor', 'fn', 'adr', 'tel', 'org', 'geo', 'impp', 'parameters', 'type',
    'text', 'uri', 'pref', '__proto__'] // prettier-ignore
  const texts = [
    '',
    ' ',
    '&lt;x&gt;',
    'tel:',
    'geo:1,2;u=3',
    '1',
    'http://x',
    'xmpp:',
    '\u{1F600}',
    '--0806',
    'a'.repeat(3000),
  ]
  const rubbish = (depth: number): string => {
    const name = dice.of(names)
    const inner =
      depth === 0 ? dice.of(texts) : Array.from({ length: dice.below(4) }, () => rubbish(depth - 1)).join('')
    return `<${name}>${dice.of(texts)}${inner}</${name}>`
  }
  for (let round = 0; round < 300; round++) {
    const inner = Array.from({ length: 5 }, () => rubbish(3)).join('')
    const four = vcard4Of(parseElement(`<vCard xmlns='vcard-temp'>${inner}</vCard>`))
    if (four) assert.equal(parseElement(four.toString()).local, 'vcard')
    const temp = vcardTempOf(parseElement(`<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>${inner}</vcard>`))
    if (temp) assert.equal(parseElement(temp.toString()).local, 'vCard')
  }
})
