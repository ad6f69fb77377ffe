/** Services at domains of their own: what is answered for them, and what cannot be. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conditionOf, payloadOf, Stage } from '../modules/stage.js'
import { options } from '../../../src/base/schema.js'
import { iq } from '../../../src/host/iq-table.js'
import { defineModule } from '../../../src/host/module.js'
import type { ServiceHost } from '../../../src/host/service.js'
import { StanzaError } from '../../../src/stanza/errors.js'
import { el } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'

const domain = 'echo.capulet.example'

const echoAt = (name: string, more: Partial<ServiceHost> = {}) =>
  defineModule({
    name,
    summary: 'Answers',
    xeps: [],
    options: options({}),
    setup: () => ({
      hosts: [
        {
          domain,
          identities: [{ category: 'automation', type: 'x-echo' }],
          features: ['urn:echo'],
          iq: [iq('get', 'host', 'echo', 'urn:echo', ({ query }) => el('echo', 'urn:echo', {}, query.text))],
          ...more,
        },
      ],
    }),
  })

test('a service answers its requests and tells what it is; all else is not there', async () => {
  const heard: string[] = []
  const receive = ({ kind, id = '' }: { kind: string; id: string | undefined }) => {
    heard.push(`${kind} ${id}`)
    if (id === 'bad') throw new StanzaError('not-acceptable')
  }
  const stage = await Stage.with(echoAt('echo', { receive }))
  const client = await stage.client('juliet@capulet.example/balcony')
  const reply = await client.asks('get', `<echo xmlns='urn:echo'>ho</echo>`, domain)
  assert.equal(payloadOf(reply)?.text, 'ho')
  const info = payloadOf(await client.asks('get', `<query xmlns='${NS.discoInfo}'/>`, domain))?.toString()
  assert.match(info ?? '', /<identity category="automation" type="x-echo"\/>.*<feature var="urn:echo"\/>/)
  const items = payloadOf(await client.asks('get', `<query xmlns='${NS.discoItems}'/>`, domain))
  assert.deepEqual(items?.childrenOf(), [])
  for (const ns of [NS.discoInfo, NS.discoItems])
    assert.equal(
      conditionOf(await client.asks('get', `<query xmlns='${ns}' node='n'/>`, domain)),
      'item-not-found',
    )
  assert.equal(
    conditionOf(await client.asks('set', `<echo xmlns='urn:echo'/>`, domain)),
    'service-unavailable',
  )
  client.got.length = 0
  await client.sends(`<message to='somebody@${domain}' id='m'/>`)
  await client.sends(`<message to='${domain}' id='bad'/>`)
  assert.deepEqual(heard, ['message m', 'message bad'])
  assert.equal(client.got.length, 1)
  assert.match(client.got[0]!, /<not-acceptable /)
  assert.equal(stage.router.serves(domain), true)
  assert.equal(stage.router.serves('x.example'), false)
  await stage.load()
  assert.equal(stage.router.serves(domain), false)
})

test('two services cannot have one domain', async () => {
  await assert.rejects(
    Stage.with(echoAt('one'), echoAt('two')),
    /two modules answer at echo\.capulet\.example/,
  )
})
