/** Clients that show a certificate to a whole server (XEP-0178 §2), by STARTTLS and by direct TLS. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { newAuthority } from '../support/test-ca.js'
import { Client } from './support/client.js'
import { Parley, refused, temporaryFolder } from './support/server.js'

const authority = newAuthority('The house of Montague')
const romeo = authority.issue({ names: [{ xmpp: 'romeo@localhost' }] })
let folder: Awaited<ReturnType<typeof temporaryFolder>>
before(async () => {
  folder = await temporaryFolder()
  writeFileSync(join(folder.path, 'clients.pem'), authority.pem)
})
after(() => folder.remove())

test('who shows a certificate of the authority gets in, others need a password', async () => {
  const server = await Parley.start({ folder: folder.path, set: ['listen.client_ca=clients.pem'] })
  try {
    await server.add('romeo')
    const trust = server.certificate().pem
    for (const direct of [true, false]) {
      const access = {
        port: server.port(direct ? 'TLS at once' : 'STARTTLS'),
        direct,
        trust,
        account: 'romeo@localhost',
      }
      const client = await Client.connect({ ...access, identity: { cert: romeo.pem, key: romeo.keyPem } })
      assert.match((await client.next('features')).toString(), /<mechanism>EXTERNAL</)
      client.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>`)
      assert.equal((await client.next('success')).local, 'success')
      client.open()
      await client.next('features')
      await client.close()
      const other = await Client.connect(access)
      assert.ok(!(await other.next('features')).toString().includes('EXTERNAL'))
      await other.close()
      await (await Client.login(access)).close()
    }
  } finally {
    assert.equal((await server.stop()).code, 0)
  }
})

test('a file of authorities that is not there is told before anything is opened', async () => {
  const error = await refused({ folder: folder.path, set: ['listen.client_ca=nobody.pem'] })
  assert.match(error, /nobody\.pem.*there is no such file/)
})
