/** Two servers as processes of their own, found by DNS, that speak over TLS with each other. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pinOf } from '../../src/admin/dns-check.js'
import { NameServer } from '../support/name-server.js'
import { Authority } from '../unit/tls/issuer.js'
import { befriend, Client } from './support/client.js'
import { Parley, temporaryFolder } from './support/server.js'

const domains = ['capulet.example', 'montague.example'] as const
const closings: (() => Promise<void>)[] = []
after(async () => {
  for (const close of closings.splice(0).reverse()) await close()
})

interface Pair {
  readonly names: NameServer
  readonly servers: readonly Parley[]
  readonly login: (index: 0 | 1) => Promise<Client>
}

/**
 * `dialback`: certificates of their own, the call back is enough. `external`: those of an authority, over direct TLS.
 * `dane`: certificates of their own that DNS names, and no call back is enough to one that it does not name.
 */
type How = 'dialback' | 'external' | 'dane'

/** Two servers that find each other. */
async function pair(how: How): Promise<Pair> {
  const names = await NameServer.start({})
  closings.push(() => names.stop())
  const authority = new Authority('test authority')
  const servers: Parley[] = []
  for (const domain of domains) {
    const folder = await temporaryFolder()
    closings.push(() => folder.remove())
    const set = [`domain=${domain}`, `dns.servers=["127.0.0.1:${names.address.port}"]`]
    if (how === 'dialback') set.push('s2s.policy=dialback-ok')
    else if (how === 'external') {
      const file = join(folder.path, 'own.pem')
      const ca = join(folder.path, 'ca.pem')
      const { certificate, key } = authority.issue({ names: [domain] })
      writeFileSync(file, certificate + key, { mode: 0o600 })
      writeFileSync(ca, authority.certificate)
      set.push(`tls.certificate=${file}`, `tls.key=${file}`, `s2s.ca_file=${ca}`)
    }
    const server = await Parley.start({ folder: folder.path, set })
    closings.push(async () => assert.equal((await server.stop()).code, 0))
    await server.add(`romeo@${domain}`)
    servers.push(server)
  }
  const service = how === 'external' ? '_xmpps-server._tcp' : '_xmpp-server._tcp'
  const kind = how === 'external' ? 'TLS at once' : 'STARTTLS'
  const ad = how === 'dane'
  names.zone = { 'home.example': { A: ['127.0.0.1'], ad } }
  for (const [index, domain] of domains.entries()) {
    const server = servers[index]!
    const port = server.port(kind, 'servers')
    names.add({ [`${service}.${domain}`]: { SRV: [`10 5 ${port} home.example`], ad } })
    if (how !== 'dane') continue
    const TLSA = [pinOf(new X509Certificate(server.certificate(domain).pem))]
    names.add({ [`_${port}._tcp.home.example`]: { TLSA, ad } })
  }
  return {
    names,
    servers,
    login(index) {
      const domain = domains[index]
      const server = servers[index]!
      const trust = how === 'external' ? authority.certificate : server.certificate(domain).pem
      const account = `romeo@${domain}`
      return Client.login({ port: server.port('TLS at once'), direct: true, trust, account })
    },
  }
}

for (const how of ['dialback', 'external', 'dane'] as const) {
  test(`people of two servers become contacts, see each other and talk (${how})`, async () => {
    const { servers, login } = await pair(how)
    const [romeo, juliet] = [await login(0), await login(1)]
    await romeo.appear()
    await juliet.appear()
    await befriend(romeo, juliet)
    romeo.send(`<message to='${juliet.jid}' type='chat'><body>But soft!</body></message>`)
    assert.equal((await juliet.next('message')).child('body')?.text, 'But soft!')
    juliet.send(`<message to='${romeo.jid}' type='chat'><body>Ay me!</body></message>`)
    assert.equal((await romeo.next('message')).child('body')?.text, 'Ay me!')
    // Who is called back by DANE proves itself with it; who calls is proved by the call back.
    const proof = how === 'external' ? 'external' : 'dialback'
    const open = await servers[0]!.logs('s2s.out.open')
    assert.deepEqual([open['peer'], open['host'], open['auth']], [domains[1], domains[0], proof])
    const taken = await servers[1]!.logs('s2s.in.open')
    assert.deepEqual([taken['peer'], taken['host'], taken['auth']], [domains[0], domains[1], proof])
    const nobody = await romeo.get(`<ping xmlns='urn:xmpp:ping'/>`, 'nowhere.example')
    assert.ok(nobody.child('error')?.child('remote-server-not-found'), nobody.toString())
    await romeo.close()
    await juliet.next('presence', ({ attrs }) => attrs['type'] === 'unavailable')
    await juliet.close()
  })
}

test('a certificate that DNS does not name keeps two servers apart (DANE)', async () => {
  const { servers, login, names } = await pair('dane')
  const port = servers[1]!.port('STARTTLS', 'servers')
  const other = pinOf(new X509Certificate(servers[0]!.certificate(domains[0]).pem))
  names.add({ [`_${port}._tcp.home.example`]: { TLSA: [other], ad: true } })
  const romeo = await login(0)
  romeo.send(`<message to='juliet@${domains[1]}'><body>Wherefore?</body></message>`)
  const failed = await servers[0]!.logs('s2s.out.failed')
  assert.deepEqual([failed['peer'], failed['stage']], [domains[1], 'certificate'])
  assert.match(String(failed['reason']), /its certificate is not one that DNS names \(DANE\)/)
  await romeo.close()
})
