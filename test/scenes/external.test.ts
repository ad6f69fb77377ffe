/** XEP-0178 §2: clients that show a certificate. */
import assert from 'node:assert/strict'
import { agent, authenticate, base64, bind, identifier, opens, PHONE } from '../support/modern.js'
import { scene } from '../support/stage.js'
import { newAuthority, type Issued } from '../support/test-ca.js'
import { accountsOf } from '../../src/tls/accounts.js'
import { TrustStore } from '../../src/tls/trust.js'
import { NS } from '../../src/xml/namespaces.js'

const root = newAuthority('The house of Montague')
const trust = TrustStore.of(root.der)
const options = {
  identify: (chain: readonly Buffer[]) => accountsOf(chain, trust, Date.now()),
  wire: 'pipe',
} as const

const of = (...addresses: string[]): Issued => root.issue({ names: addresses.map((xmpp) => ({ xmpp })) })
const shows = (...certificates: Issued[]) => ({ peerChain: certificates.map(({ der }) => der) })
const auth = (data: string) => `<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'>${data}</auth>`

scene(
  'RFC 6120 §6.3.4, XEP-0178 §2: who shows a certificate of an account gets in as that',
  async ({ romeo, stage }) => {
    stage.pipe = shows(of('Romeo@capulet.example', 'romeo@elsewhere.example'))
    const features = await opens(romeo)
    const [first] = features.child('mechanisms', NS.sasl)!.childrenOf()
    assert.equal(first?.text, 'EXTERNAL')
    romeo.raw(auth('='))
    await romeo.receives(`<success xmlns='${NS.sasl}'/>`)
    await romeo.vanishes()
    await romeo.opens()
    romeo.raw(authenticate('EXTERNAL', '', agent(PHONE) + bind()))
    const success = await romeo.next('success')
    assert.match(identifier(success), /^romeo@capulet\.example\//)
  },
  options,
)

scene(
  'XEP-0178 §2: of several accounts one is named, and none that is not in it',
  async ({ romeo, juliet, stage }) => {
    await opens(juliet)
    stage.pipe = shows(of('romeo@capulet.example', 'juliet@capulet.example'))
    await opens(romeo)
    for (const data of ['=', base64('nurse@capulet.example'), base64('romeo@montague.example')]) {
      romeo.raw(auth(data))
      await romeo.receives(`<failure xmlns='${NS.sasl}'><invalid-authzid/></failure>`)
    }
    romeo.raw(auth(base64('juliet@capulet.example')))
    await romeo.receives(`<success xmlns='${NS.sasl}'/>`)
    romeo.startsStream()
    await romeo.next('features')
    const bound = await romeo.asks(`<iq type='set' id='b'><bind xmlns='${NS.bind}'/></iq>`)
    assert.match(bound.toString(), /juliet@capulet\.example\//)
  },
  options,
)

scene(
  'XEP-0178 §2: not offered for a certificate that will not do, and not taken',
  async ({ romeo, stage }) => {
    const stranger = newAuthority('The house of Montague')
    for (const certificate of [
      stranger.issue({ names: [{ xmpp: 'romeo@capulet.example' }] }),
      of('romeo@montague.example'),
      of('capulet.example'),
      undefined,
    ]) {
      stage.pipe = certificate ? shows(certificate) : {}
      const features = await opens(romeo)
      assert.ok(!features.toString().includes('EXTERNAL'))
      romeo.raw(auth('='))
      await romeo.receives(`<failure xmlns='${NS.sasl}'><invalid-mechanism/></failure>`)
      await romeo.vanishes()
    }
  },
  options,
)

scene(
  'XEP-0178 §2: a certificate of an account that is gone or disabled lets nobody in',
  async ({ romeo, stage }) => {
    stage.pipe = shows(of('romeo@capulet.example'))
    await romeo.opens()
    romeo.raw(auth('='))
    await romeo.receives(`<failure xmlns='${NS.sasl}'><not-authorized/></failure>`)
    await romeo.vanishes()
    await opens(romeo)
    const account = await stage.stores.accounts.get(stage.domain, 'romeo')
    await stage.stores.accounts.disable(account!.id, 'banished', 0)
    romeo.raw(auth('='))
    await romeo.receives(`<failure xmlns='${NS.sasl}'><account-disabled/></failure>`)
  },
  options,
)
