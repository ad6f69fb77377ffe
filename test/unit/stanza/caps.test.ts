import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  capsHash,
  capsHashInput,
  capsHashNode,
  capsVersion,
  discoInfoElement,
  readDiscoInfo,
  type DiscoInfo,
} from '../../../src/stanza/caps.js'
import { resultForm } from '../../../src/stanza/forms.js'
import { el } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'

const disco = 'http://jabber.org/protocol/disco'

/** XEP-0115 §5.2. */
const exodus: DiscoInfo = {
  identities: [{ category: 'client', type: 'pc', name: 'Exodus 0.9.1' }],
  features: [`${disco}#info`, 'http://jabber.org/protocol/muc', `${disco}#items`, NS.caps],
  forms: [],
}

/** XEP-0115 §5.3, shuffled. */
const psi: DiscoInfo = {
  identities: [
    { category: 'client', type: 'pc', name: 'Psi 0.11', lang: 'en' },
    { category: 'client', type: 'pc', name: '\u03a8 0.11', lang: 'el' },
  ],
  features: ['http://jabber.org/protocol/muc', `${disco}#items`, NS.caps, `${disco}#info`],
  forms: [
    resultForm('urn:xmpp:dataforms:softwareinfo', {
      software_version: '0.11',
      ip_version: ['ipv6', 'ipv4'],
      software: 'Psi',
      os_version: '10.5.1',
      os: 'Mac',
    }),
  ],
}

test('XEP-0115 §5.2: the simple example', () => {
  assert.equal(capsVersion(exodus), 'QgayPKawpkPSDYmwT/WM94uAlu0=')
})

test('XEP-0115 §5.3: the complex example, in whatever order', () => {
  assert.equal(capsVersion(psi), 'q07IKJEyjvHSyhy//CH0CxmKi8w=')
})

test('XEP-0115 §5.1: sorting is by octets, not by UTF-16 units', () => {
  const info = (features: string[]): DiscoInfo => ({ identities: [], forms: [], features })
  // U+['games:board', 'http://jabber.org/protocol/activity', 'http://jabber.org/protocol/activity+notify', 'http://jabber.org/protocol/bytestreams', 'http://jabber.org/protocol/chatstates', 'http://jabber.org/protocol/commands', 'http://jabber.org/protocol/disco#info', 'http://jabber.org/protocol/disco#items', 'http://jabber.org/protocol/evil', 'http://jabber.org/protocol/feature-neg', 'http://jabber.org/protocol/geoloc', 'http://jabber.org/protocol/geoloc+notify', 'http://jabber.org/protocol/ibb', 'http://jabber.org/protocol/iqibb', 'http://jabber.org/protocol/mood', 'http://jabber.org/protocol/mood+notify', 'http://jabber.org/protocol/rosterx', 'http://jabber.org/protocol/si', 'http://jabber.org/protocol/si/profile/file-transfer', 'http://jabber.org/protocol/tune', 'http://www.facebook.com/xmpp/messages', 'http://www.xmpp.org/extensions/xep-0084.html#ns-metadata+notify', 'jabber:iq:avatar', 'jabber:iq:browse', 'jabber:iq:dtcp', 'jabber:iq:filexfer', 'jabber:iq:ibb', 'jabber:iq:inband', 'jabber:iq:jidlink', 'jabber:iq:last', 'jabber:iq:oob', 'jabber:iq:privacy', 'jabber:iq:roster', 'jabber:iq:time', 'jabber:iq:version', 'jabber:x:data', 'jabber:x:event', 'jabber:x:oob', 'urn:xmpp:avatar:metadata+notify', 'urn:xmpp:ping', 'urn:xmpp:receipts', 'urn:xmpp:time']D is before U+1F600 in UTF-8 and after its surrogates in UTF-16; hashed is '\ufffd<\u{1f600}<'.
  assert.equal(capsVersion(info(['\u{1f600}', '\ufffd'])), 'oATRqrS8LI9mA70d3TMAMM2hKjs=')
})

test('XEP-0115 §5.1: a name cannot pretend to be features', () => {
  const honest: DiscoInfo = {
    identities: [{ category: 'client', type: 'pc', name: 'a' }],
    features: ['b'],
    forms: [],
  }
  const fake: DiscoInfo = {
    identities: [{ category: 'client', type: 'pc', name: 'a<b' }],
    features: [],
    forms: [],
  }
  assert.notEqual(capsVersion(fake), capsVersion(honest))
})

test('information survives being written and read', () => {
  const read = readDiscoInfo(discoInfoElement(psi, 'a node'))
  assert.ok(read)
  assert.deepEqual(read.identities, psi.identities)
  assert.deepEqual(read.features, psi.features)
  assert.equal(capsVersion(read), capsVersion(psi))
  assert.equal(discoInfoElement(psi, 'a node').attrs['node'], 'a node')
})

test('XEP-0115 §5.4: what is in it twice makes it ill-formed', () => {
  const query = () => discoInfoElement(psi)
  const twice = (child: ReturnType<typeof el>) => {
    const whole = query()
    whole.cnode(child)
    return readDiscoInfo(whole)
  }
  assert.equal(
    twice(el('identity', undefined, { category: 'client', type: 'pc', name: 'Psi 0.11', 'xml:lang': 'en' })),
    undefined,
  )
  assert.equal(twice(el('feature', undefined, { var: NS.caps })), undefined)
  assert.equal(twice(resultForm('urn:xmpp:dataforms:softwareinfo', {})), undefined)
  assert.equal(twice(resultForm('urn:example', { FORM_TYPE: 'other' }))?.forms.length, 2)
  // A form without a FORM_TYPE is ignored, the rest counts.
  assert.equal(capsVersion(twice(el('x', NS.dataForms, { type: 'result' }))!), capsVersion(psi))
})

/** XEP-0390 §4.5.1. */
const bombus: DiscoInfo = {
  identities: [{ category: 'client', type: 'mobile', name: 'BombusMod' }],
  features: [
    'http://jabber.org/protocol/si',
    'http://jabber.org/protocol/bytestreams',
    'http://jabber.org/protocol/chatstates',
    'http://jabber.org/protocol/disco#info',
    'http://jabber.org/protocol/disco#items',
    'urn:xmpp:ping',
    'jabber:iq:time',
    'jabber:iq:privacy',
    'jabber:iq:version',
    'http://jabber.org/protocol/rosterx',
    'urn:xmpp:time',
    'jabber:x:oob',
    'http://jabber.org/protocol/ibb',
    'http://jabber.org/protocol/si/profile/file-transfer',
    'urn:xmpp:receipts',
    'jabber:iq:roster',
    'jabber:iq:last',
  ],
  forms: [],
}

/** XEP-0390 §4.5.2. */
const tkabber: DiscoInfo = {
  identities: [
    { category: 'client', type: 'pc', name: 'Tkabber', lang: 'en' },
    { category: 'client', type: 'pc', name: '\u0422\u043a\u0430\u0431\u0431\u0435\u0440', lang: 'ru' },
  ],
  features: [
    'games:board',
    'http://jabber.org/protocol/activity',
    'http://jabber.org/protocol/activity+notify',
    'http://jabber.org/protocol/bytestreams',
    'http://jabber.org/protocol/chatstates',
    'http://jabber.org/protocol/commands',
    'http://jabber.org/protocol/disco#info',
    'http://jabber.org/protocol/disco#items',
    'http://jabber.org/protocol/evil',
    'http://jabber.org/protocol/feature-neg',
    'http://jabber.org/protocol/geoloc',
    'http://jabber.org/protocol/geoloc+notify',
    'http://jabber.org/protocol/ibb',
    'http://jabber.org/protocol/iqibb',
    'http://jabber.org/protocol/mood',
    'http://jabber.org/protocol/mood+notify',
    'http://jabber.org/protocol/rosterx',
    'http://jabber.org/protocol/si',
    'http://jabber.org/protocol/si/profile/file-transfer',
    'http://jabber.org/protocol/tune',
    'http://www.facebook.com/xmpp/messages',
    'http://www.xmpp.org/extensions/xep-0084.html#ns-metadata+notify',
    'jabber:iq:avatar',
    'jabber:iq:browse',
    'jabber:iq:dtcp',
    'jabber:iq:filexfer',
    'jabber:iq:ibb',
    'jabber:iq:inband',
    'jabber:iq:jidlink',
    'jabber:iq:last',
    'jabber:iq:oob',
    'jabber:iq:privacy',
    'jabber:iq:roster',
    'jabber:iq:time',
    'jabber:iq:version',
    'jabber:x:data',
    'jabber:x:event',
    'jabber:x:oob',
    'urn:xmpp:avatar:metadata+notify',
    'urn:xmpp:ping',
    'urn:xmpp:receipts',
    'urn:xmpp:time',
  ],
  forms: [
    resultForm('urn:xmpp:dataforms:softwareinfo', {
      software: 'Tkabber',
      software_version: '0.11.1-svn-20111216-mod (Tcl/Tk 8.6b2)',
      os: 'Windows',
      os_version: 'XP',
    }),
  ],
}

test('XEP-0390 §4.5.1: the simple example', () => {
  assert.equal(capsHash(bombus, 'sha-256'), 'kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=')
  assert.equal(capsHash(bombus, 'sha3-256'), '79mdYAfU9rEdTOcWDO7UEAt6E56SUzk/g6TnqUeuD9Q=')
  assert.ok(
    capsHashInput(bombus).endsWith('urn:xmpp:time\x1f\x1cclient\x1fmobile\x1f\x1fBombusMod\x1f\x1e\x1c\x1c'),
  )
})

test('XEP-0390 §4.5.2: the complex example', () => {
  assert.equal(capsHash(tkabber, 'sha-256'), 'u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=')
  assert.equal(capsHash(tkabber, 'sha3-256'), 'XpUJzLAc93258sMECZ3FJpebkzuyNXDzRNwQog8eycg=')
})

test('XEP-0390 §4.3: the node of a hash', () => {
  assert.equal(
    capsHashNode(bombus, 'sha-256'),
    'urn:xmpp:caps#sha-256.kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=',
  )
})
