import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { ChannelBindings, Credentials, Hash, SaslContext, Step } from '../../../src/sasl/mechanism.js'
import { hashes } from '../../../src/sasl/password.js'
import { ScramClient } from './client.js'
import type { ScramClientOptions } from './client.js'
import { accounts, context, mechanism, told } from './stage.js'

const bindingData = Buffer.from('what both ends of this connection know')
const bindings: ChannelBindings = {
  types: ['tls-server-end-point', 'tls-exporter'],
  data: (type) => (type === 'tls-exporter' ? bindingData : undefined),
}
const plusOffered = ['SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256-PLUS', 'SCRAM-SHA-512-PLUS']

interface Talk extends Partial<ScramClientOptions> {
  readonly mechanism?: string
  readonly at?: SaslContext
}

/** Logs in as a real client would. */
async function login(talk: Talk): Promise<{ step: Step; client: ScramClient }> {
  const name = talk.mechanism ?? 'SCRAM-SHA-256'
  const hash = name.replace('SCRAM-', '').replace('-PLUS', '') as Hash
  const client = new ScramClient({ user: 'romeo', password: 'pencil', hash, ...talk })
  const exchange = mechanism(name).begin(talk.at ?? context())
  const step = await exchange.step(client.first())
  if (step.outcome !== 'continue') return { step, client }
  return { step: await exchange.step(client.final(step.data)), client }
}

for (const hash of hashes) {
  test(`SCRAM-${hash} lets in who knows the password and proves that the server does too`, async () => {
    const { step, client } = await login({ mechanism: `SCRAM-${hash}` })
    assert.equal(told(step), 'success romeo')
    assert.ok(step.outcome === 'success' && client.accepts(step.data))
    assert.ok(client.attribute('r').startsWith(client.nonce))
    assert.ok(client.attribute('r').length >= client.nonce.length + 22)
  })

  test(`SCRAM-${hash}-PLUS binds to the connection`, async () => {
    const at = context({ bindings, offered: plusOffered })
    const talk = { mechanism: `SCRAM-${hash}-PLUS`, flag: 'p=tls-exporter', at }
    assert.equal(told((await login({ ...talk, bindingData })).step), 'success romeo')
    const other = Buffer.from('what the one in the middle knows......')
    const stolen = await login({ ...talk, bindingData: other })
    assert.equal(told(stolen.step), 'failure not-authorized')
  })

  test(`SCRAM-${hash} refuses a wrong password`, async () => {
    const { step } = await login({ mechanism: `SCRAM-${hash}`, password: 'pencils' })
    assert.equal(told(step), 'failure not-authorized')
  })
}

const examples = [
  {
    name: 'XEP-0474 §6.3',
    tls: undefined,
    version: '',
    extension: ',x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3',
    proof: 'M/SIDjT+dfcxUh89jZEypRvFxB4=',
    signature: 'MQrMPvv7yv4x4Cq4W4Ih25EqS2c=',
  },
  {
    name: 'XEP-0515 §4.3',
    tls: 'TLSv1.3',
    version: ',t=0304',
    extension: '',
    proof: 'KHUfN8dSy1K95crT4D5y1ItLJfs=',
    signature: '3w34ZIMVRkx2f2Ozb3/ecRPVdv4=',
  },
]
for (const { name, tls, version, extension, proof, signature } of examples) {
  test(`the exchange of ${name}, byte by byte`, async () => {
    const keys = {
      salt: Buffer.from('QSXCR+Q6sek8bf92', 'base64'),
      iterations: 4096,
      // PBKDF2 of "pencil", as in RFC 5802 §5.
      storedKey: Buffer.from('e9d94660c39d65c38fbad91c358f14da0eef2bd6', 'hex'),
      serverKey: Buffer.from('0fe09258b3ac852ba502cc62ba903eaacdbf7d31', 'hex'),
    }
    const account: Credentials = { keys: { 'SHA-1': keys }, disabled: false }
    const at = context({
      tls,
      offered: ['SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS'],
      bindings: { types: bindings.types, data: () => Buffer.from('THIS IS FAKE CB DATA') },
      random: { id: () => 'a09117a6-ac50-4f2f-93f1-93799c2bddf6', bytes: (n) => Buffer.alloc(n) },
      credentials: (local) => Promise.resolve(local === 'user' ? account : undefined),
    })
    const exchange = mechanism('SCRAM-SHA-1-PLUS').begin(at)
    const nonce = 'r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6'
    const first = await exchange.step(Buffer.from(`p=tls-exporter,,n=user,${nonce}`))
    assert.ok(first.outcome === 'continue')
    const shown = `${nonce}a09117a6-ac50-4f2f-93f1-93799c2bddf6`
    assert.equal(
      first.data.toString(),
      `${shown},s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=${version}`,
    )
    const bound = 'c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB'
    const last = await exchange.step(Buffer.from(`${bound},${shown}${extension},p=${proof}`))
    assert.ok(last.outcome === 'success')
    assert.equal(last.data?.toString(), `v=${signature}`)
  })
}

test('XEP-0515 §4.1: the version of TLS is told, an unknown one is not', async () => {
  for (const [tls, expected] of [
    ['TLSv1.3', '0304'],
    ['TLSv1.2', '0303'],
  ] as const)
    assert.equal((await login({ at: context({ tls }) })).client.attribute('t'), expected)
  const exchange = mechanism('SCRAM-SHA-256').begin(context({ tls: 'TLSv9' }))
  const step = await exchange.step(Buffer.from('n,,n=romeo,r=abcdefgh'))
  assert.ok(step.outcome === 'continue' && !step.data.toString().includes(',t='))
})

test('the hash of the offer leaves the bindings out when none were advertised', async () => {
  const expected = createHash('sha256').update('PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-256').digest('base64')
  assert.equal((await login({})).client.attribute('h'), expected)
  const { client } = await login({ at: context({ bindings }) })
  assert.equal(client.attribute('h'), expected, 'types are not advertised without -PLUS')
})

test('a name is unescaped and prepared before the look-up', async () => {
  assert.equal(told((await login({ user: 'Romeo' })).step), 'success romeo')
  assert.equal(told((await login({ user: 'a=b,c' })).step), 'success a=b,c')
})

test('the own bare JID may be named as authorization identity, another may not', async () => {
  const own = await login({ authzid: 'Romeo@Example.org' })
  assert.equal(told(own.step), 'success romeo')
  for (const authzid of [
    'juliet@example.org',
    'romeo@example.net',
    'romeo@example.org/orchard',
    'romeo',
    'example.org',
    '@example.org',
  ])
    assert.equal(told((await login({ authzid })).step), 'failure invalid-authzid', authzid)
})

test('a disabled account learns so only with the right password', async () => {
  assert.equal(told((await login({ user: 'paris' })).step), 'failure account-disabled')
  const wrong = await login({ user: 'paris', password: 'wrong' })
  assert.equal(told(wrong.step), 'failure not-authorized')
})

test('an unknown account gets a believable challenge, the same each time, and fails at the end', async () => {
  const one = await login({ user: 'nobody' })
  const two = await login({ user: 'nobody' })
  const other = await login({ user: 'someone' })
  const elsewhere = await login({ user: 'nobody', at: context({ secret: Buffer.alloc(32, 8) }) })
  const real = await login({})
  assert.equal(told(one.step), 'failure not-authorized')
  assert.equal(one.client.attribute('s'), two.client.attribute('s'))
  assert.notEqual(one.client.attribute('s'), other.client.attribute('s'))
  assert.notEqual(one.client.attribute('s'), elsewhere.client.attribute('s'))
  assert.equal(one.client.attribute('s').length, real.client.attribute('s').length)
  assert.equal(one.client.attribute('i'), real.client.attribute('i'))
})

test('an account without keys of the asked hash fails like an unknown one', async () => {
  const keys = { 'SHA-1': accounts.get('romeo')!.keys['SHA-1']! }
  const at = context({ credentials: () => Promise.resolve({ keys, disabled: false }) })
  assert.equal(told((await login({ at })).step), 'failure not-authorized')
  assert.equal(told((await login({ at, mechanism: 'SCRAM-SHA-1' })).step), 'success romeo')
})

test('a store that is down is a temporary failure', async () => {
  const at = context({ credentials: () => Promise.reject(new Error('down')) })
  assert.equal(told((await login({ at })).step), 'failure temporary-auth-failure')
})

test('a client that was hidden the -PLUS mechanisms is told so by failing', async () => {
  const at = context({ bindings, offered: plusOffered })
  assert.equal(told((await login({ flag: 'y', at })).step), 'failure not-authorized')
  assert.equal(told((await login({ flag: 'n', at })).step), 'success romeo')
  assert.equal(told((await login({ flag: 'y' })).step), 'success romeo')
})

test('a binding goes with -PLUS only, of an advertised type, over TLS', async () => {
  const at = context({ bindings, offered: plusOffered })
  for (const talk of [
    { mechanism: 'SCRAM-SHA-1', flag: 'p=tls-exporter', bindingData, at },
    { mechanism: 'SCRAM-SHA-1-PLUS', flag: 'n', at },
    { mechanism: 'SCRAM-SHA-1-PLUS', flag: 'y', at },
    { mechanism: 'SCRAM-SHA-1-PLUS', flag: 'p=tls-unique', bindingData, at },
    { mechanism: 'SCRAM-SHA-1-PLUS', flag: 'p=tls-exporter', bindingData },
  ])
    assert.equal(told((await login(talk)).step), 'failure malformed-request')
})

const malformedFirst = [
  '',
  'n',
  'n,,',
  'n,,n=romeo',
  'n,,r=abc,n=romeo',
  'n,,n=,r=abc',
  'n,,n=romeo,r=',
  'n,,n=romeo,r=a\u00e9',
  'n,,m=ext,n=romeo,r=abc',
  'n,,n=romeo,r=abc,m=ext',
  'n,,n=romeo,r=abc,',
  'n,,n=romeo,r=abc,xx',
  'n,,n=ro=meo,r=abc',
  'n,,n=romeo=2c,r=abc',
  'n,,n=romeo@example.org,r=abc',
  'n,,n=ro\0meo,r=abc',
  'x,,n=romeo,r=abc',
  'p=,,n=romeo,r=abc',
  'n,a=,n=romeo,r=abc',
  'n,b=romeo@example.org,n=romeo,r=abc',
  ' n,,n=romeo,r=abc',
  'N,,n=romeo,r=abc',
  `n,,n=${'a'.repeat(8192)},r=abc`,
]

for (const text of malformedFirst)
  test(`a first message ${JSON.stringify(text.slice(0, 40))} is malformed`, async () => {
    const step = await mechanism('SCRAM-SHA-256').begin(context()).step(Buffer.from(text))
    assert.equal(told(step), 'failure malformed-request')
  })

test('invalid UTF-8 is malformed', async () => {
  const exchange = mechanism('SCRAM-SHA-256').begin(context())
  const bytes = Buffer.concat([Buffer.from('n,,n=rom'), Buffer.of(0xff), Buffer.from(',r=abc')])
  assert.equal(told(await exchange.step(bytes)), 'failure malformed-request')
})

/** Runs the honest first half, then sends what `change` makes of the honest second half. */
async function finish(change: (final: string) => string): Promise<string> {
  const client = new ScramClient({ user: 'romeo', password: 'pencil', hash: 'SHA-256' })
  const exchange = mechanism('SCRAM-SHA-256').begin(context())
  const step = await exchange.step(client.first())
  assert.ok(step.outcome === 'continue')
  return told(await exchange.step(Buffer.from(change(client.final(step.data).toString()))))
}

const other = (character: string) => (character === 'A' ? 'B' : 'A')
const wrongFinals: [string, (final: string) => string, string][] = [
  ['nothing in it', () => '', 'malformed-request'],
  ['no proof', (f) => f.replace(/,p=.*/, ''), 'malformed-request'],
  ['an empty proof', (f) => f.replace(/,p=.*/, ',p='), 'malformed-request'],
  ['a short proof', (f) => f.replace(/,p=.*/, ',p=AAAA'), 'not-authorized'],
  ['a proof that is no base64', (f) => f.replace(/,p=.*/, ',p=A*AA'), 'malformed-request'],
  ['another proof', (f) => f.replace(/(?<=,p=)./, other), 'not-authorized'],
  ['a line feed after the proof', (f) => `${f}\n`, 'malformed-request'],
  ['another GS2 header', (f) => f.replace('c=biws', 'c=eSws'), 'not-authorized'],
  ['data where nothing is bound', (f) => f.replace('c=biws', 'c=biwsYWJj'), 'not-authorized'],
  ['c= without padding', (f) => f.replace('c=biws', 'c=biw'), 'malformed-request'],
  ['another nonce', (f) => f.replace(/(?<=,r=)./, other), 'not-authorized'],
  ['the nonce cut short', (f) => f.replace(/.,p=/, ',p='), 'not-authorized'],
  ['another order', (f) => f.replace(/^(c=[^,]+),(r=[^,]+)/, '$2,$1'), 'malformed-request'],
  ['a mandatory extension', (f) => f.replace(',p=', ',m=1,p='), 'malformed-request'],
  ['an extension not proved', (f) => f.replace(',p=', ',x=1,p='), 'not-authorized'],
]

for (const [what, change, condition] of wrongFinals)
  test(`a final message with ${what} is ${condition}`, async () => {
    assert.equal(await finish(change), `failure ${condition}`)
  })

test('an extension that the proof covers is passed over', async () => {
  assert.equal(told((await login({ extension: 'x=hello' })).step), 'success romeo')
})

test('an exchange that is over stays over', async () => {
  const client = new ScramClient({ user: 'romeo', password: 'pencil', hash: 'SHA-256' })
  const exchange = mechanism('SCRAM-SHA-256').begin(context())
  const step = await exchange.step(client.first())
  assert.ok(step.outcome === 'continue')
  const final = client.final(step.data)
  assert.equal(told(await exchange.step(final)), 'success romeo')
  assert.equal(told(await exchange.step(final)), 'failure malformed-request')
})

test('a response sent before the challenge is refused', async () => {
  const exchange = mechanism('SCRAM-SHA-256').begin(context())
  const pending = exchange.step(Buffer.from('n,,n=romeo,r=abc'))
  const early = await exchange.step(Buffer.from('c=biws,r=abc,p=AAAA'))
  assert.equal(told(early), 'failure malformed-request')
  await pending
})
