/** Two servers as processes of their own, found by DNS, that speak over TLS with each other. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
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
  readonly servers: readonly Parley[]
  readonly login: (index: 0 | 1) => Promise<Client>
}

/** Two servers that find each other, STARTTLS or direct TLS, with certificates of an authority or of their own. */
async function pair(how: 'dialback' | 'external'): Promise<Pair> {
  const names = await NameServer.start({})
  closings.push(() => names.stop())
  const authority = new Authority('test authority')
  const servers: Parley[] = []
  for (const domain of domains) {
    const folder = await temporaryFolder()
    closings.push(() => folder.remove())
    const set = [`domain=${domain}`, `dns.servers=["127.0.0.1:${names.address.port}"]`]
    if (how === 'dialback') set.push('s2s.policy=dialback-ok')
    else {
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
  const service = how === 'dialback' ? '_xmpp-server._tcp' : '_xmpps-server._tcp'
  const kind = how === 'dialback' ? 'STARTTLS' : 'TLS at once'
  names.zone = { 'home.example': { A: ['127.0.0.1'] } }
  for (const [index, domain] of domains.entries()) {
    const SRV = [`10 5 ${servers[index]!.port(kind, 'servers')} home.example`]
    names.zone = { ...names.zone, [`${service}.${domain}`]: { SRV } }
  }
  return {
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

for (const how of ['dialback', 'external'] as const) {
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
    const open = await servers[0]!.logs('s2s.out.open')
    assert.deepEqual([open['peer'], open['host'], open['auth']], [domains[1], domains[0], how])
    const taken = await servers[1]!.logs('s2s.in.open')
    assert.deepEqual([taken['peer'], taken['host'], taken['auth']], [domains[0], domains[1], how])
    const nobody = await romeo.get(`<ping xmlns='urn:xmpp:ping'/>`, 'nowhere.example')
    assert.ok(nobody.child('error')?.child('remote-server-not-found'), nobody.toString())
    await romeo.close()
    await juliet.next('presence', ({ attrs }) => attrs['type'] === 'unavailable')
    await juliet.close()
  })
}
