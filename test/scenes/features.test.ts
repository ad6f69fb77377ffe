/** Discovery claims exactly what works: each feature has a test that would fail if it did not. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Actor } from '../support/actor.js'
import { accountFeatures, type Claims, domainFeatures, streamFeatures } from '../support/features.js'
import { scene } from '../support/stage.js'
import { modules } from '../../src/modules/index.js'
import { readDiscoInfo } from '../../src/stanza/caps.js'
import type { Element } from '../../src/xml/element.js'
import { NS } from '../../src/xml/namespaces.js'

const tests = join(dirname(fileURLToPath(import.meta.url)), '../../../test')

/** With all that is off unless an admin wants it. */
const everything = modules.flatMap(({ name, enabled }) =>
  enabled === false ? [`modules.${name}.enabled=true`] : [],
)

const inOrder = (names: Iterable<string>) => [...names].sort((one, other) => (one < other ? -1 : 1))

async function claimed(actor: Actor, to: string): Promise<string[]> {
  const reply = await actor.gets(`<query xmlns='${NS.discoInfo}'/>`, to)
  return inOrder(readDiscoInfo(reply.child('query', NS.discoInfo)!)!.features)
}

scene(
  'disco#info of the domain and of an account claim what has a test, and nothing else',
  async ({ juliet }) => {
    await juliet.connects()
    assert.deepEqual(await claimed(juliet, juliet.domain), inOrder(Object.keys(domainFeatures)))
    assert.deepEqual(await claimed(juliet, juliet.bare), inOrder(Object.keys(accountFeatures)))
  },
  { set: everything },
)

const offered = (features: Element) => inOrder(features.childrenOf().map(({ ns }) => ns!))

scene(
  'stream features offer what has a test, and nothing else',
  async ({ stage, juliet }) => {
    await stage.account('juliet', stage.domain, 'wherefore')
    assert.deepEqual(offered(await juliet.opens()), inOrder(Object.keys(streamFeatures.before)))
    juliet.raw(`<auth xmlns='${NS.sasl}' mechanism='PLAIN'>${juliet.plain()}</auth>`)
    await juliet.receives(`<success xmlns='${NS.sasl}'/>`)
    juliet.startsStream()
    assert.deepEqual(offered(await juliet.next('features')), inOrder(Object.keys(streamFeatures.after)))
  },
  { set: everything, wire: 'pipe' },
)

test('the tests of what is claimed exist', () => {
  const all: Claims[] = [domainFeatures, accountFeatures, streamFeatures.before, streamFeatures.after]
  const missing = all.flatMap((claims) =>
    Object.entries(claims)
      .filter(([, [file, name]]) => {
        const path = join(tests, `${file}.test.ts`)
        return !existsSync(path) || !readFileSync(path, 'utf8').includes(name)
      })
      .map(([feature, [file, name]]) => `${feature}: ${file}: ${name}`),
  )
  assert.deepEqual(missing, [])
})
