/** The commands that write accounts into files and read them: over the control socket, in pieces. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandError } from '../../../src/host/command.js'
import { each, type Portable } from '../../../src/host/module.js'
import { callerFiles } from '../../../src/admin/caller-files.js'
import type { Streams } from '../../../src/admin/caller-files.js'
import { el } from '../../../src/xml/element.js'
import { serving } from './line.js'
import { FakeTerminal, inMemory } from './stage.js'

const NOTES = 'urn:example:notes'

/** Keeps notes of accounts, by their rows. */
function notes(kept = new Map<number, string[]>()) {
  const portable: Portable = {
    name: 'notes',
    ns: NOTES,
    depth: 1,
    async *export({ id }) {
      for (const text of kept.get(id) ?? []) yield el('note', NOTES, undefined, text)
    },
    import: ({ id }, elements) =>
      each(elements, async ({ text }) => {
        const before = kept.get(id) ?? []
        if (text === 'bad') return 'the note is bad'
        if (!before.includes(text)) kept.set(id, [...before, text])
        return undefined
      }),
  }
  return { kept, portable }
}

/** Files that one can read, and what was written. */
function streams(files: Record<string, string> = {}) {
  const out: string[] = []
  const all: Streams = {
    async *open(file) {
      const text = files[file]
      if (text === undefined) throw Object.assign(new Error('no'), { code: 'ENOENT' })
      for (let at = 0; at < text.length; at += 1000) yield Buffer.from(text.slice(at, at + 1000))
    },
    write: async (text) => void out.push(text),
  }
  return { all, written: () => out.join('') }
}

async function server() {
  const { kept, portable } = notes()
  const served = await serving()
  const { services } = served
  const keeper = services.keeper.bind(services)
  Object.assign(services, {
    keeper: (domain: string) => ({ ...keeper(domain), portable: () => [portable] }),
  })
  return { ...served, kept }
}

test('an account is written on standard output, and read from a file: more than fits into a line of the socket', async () => {
  const { parley, kept, services } = await server()
  await parley('user add ana --generate')
  const { id } = (await services.accounts.get('example.org', 'ana'))!
  await services.accounts.setKeys(id, {
    'SHA-256': {
      salt: Buffer.from('salt'),
      iterations: 4096,
      storedKey: Buffer.alloc(32, 1),
      serverKey: Buffer.alloc(32, 2),
    },
  })
  kept.set(
    id,
    Array.from({ length: 3000 }, (_, n) => `${'é'.repeat(500)}${n}`),
  )
  const out = streams()
  const export1 = await parley('user export ana', new FakeTerminal(), { streams: out.all })
  assert.deepEqual([export1.code, export1.out], [0, ''])
  assert.match(export1.error, /^Written: 1 account, 3000 elements\. Keep the file safe/)
  const file = out.written()
  assert.ok(file.length > 1024 * 1024 && file.endsWith('</server-data>\n'))
  assert.match(file, /<user name='ana'>\n<scram-credentials .*mechanism="SCRAM-SHA-256"/)

  const { parley: there, kept: keptThere, services: other } = await server()
  const read = { streams: streams({ 'f.xml': file }).all }
  const dry = await there('user import f.xml --dry-run', new FakeTerminal(), read)
  assert.match(dry.out, /^accounts made +1\n.*there +0\nnote +3000\nnot taken +0\nNothing was changed/)
  assert.equal(await other.accounts.get('example.org', 'ana'), undefined)
  const imported = await there('user import f.xml --json', new FakeTerminal(), read)
  assert.deepEqual([imported.code, (JSON.parse(imported.out) as { made: number }).made], [0, 1])
  const account = (await other.accounts.get('example.org', 'ana'))!
  assert.deepEqual(keptThere.get(account.id), kept.get(id))
  assert.deepEqual(account.keys, (await services.accounts.get('example.org', 'ana'))!.keys)
})

test('a whole domain, or all of them', async () => {
  const { parley } = await server()
  for (const name of ['ana', 'bea', 'cid@chat.example']) await parley(`user add ${name} --generate`)
  const file = async (line: string) => {
    const out = streams()
    const { code } = await parley(line, new FakeTerminal(), { streams: out.all })
    return [code, ...out.written().matchAll(/(?:jid|user name)='([^']*)'/g)].map((one) =>
      typeof one === 'number' ? one : one[1],
    )
  }
  assert.deepEqual(await file('user export --domain example.org'), [0, 'example.org', 'ana', 'bea'])
  assert.deepEqual(await file('user export --all'), [0, 'example.org', 'ana', 'bea', 'chat.example', 'cid'])
  assert.deepEqual(await file('user export'), [1])
  assert.deepEqual(await file('user export ana --all'), [1])
  assert.deepEqual(await file('user export nobody'), [1])
})

test('what is wrong with a file is told with its line, and the exit code says so', async () => {
  const { parley } = await server()
  const head = `<server-data xmlns='urn:xmpp:pie:0'>\n<host jid='example.org'><user name='ana' password='x'>\n`
  const tail = '</user></host></server-data>'
  const read = (text: string) =>
    parley('user import f.xml', new FakeTerminal(), { streams: streams({ 'f.xml': text }).all })
  const bad = await read(`${head}<notes xmlns='${NOTES}'><note>a</note>\n<note>bad</note></notes>${tail}`)
  assert.equal(bad.code, 1)
  assert.match(bad.out, /not taken +1\nf\.xml:4: the note is bad$/)
  const broken = await read(`${head}<notes>\n</user>`)
  assert.equal(broken.code, 1)
  assert.match(broken.error, /f\.xml:4: .*not-well-formed.*\n {3}what came before is imported/)
  const missing = await parley('user import g.xml', new FakeTerminal(), { streams: streams().all })
  assert.match(missing.error, /g\.xml: no such file/)
  assert.equal(missing.code, 1)
})

test('a server reads what lies beside the file that was named, and nothing else', async () => {
  const { all } = streams({ 'a/main.xml': '1', 'a/b/c d.xml': '2', 'x.xml': '3' })
  const files = callerFiles('a/main.xml', all, inMemory({}))
  const read = async (name: string, from = files) => {
    let text = ''
    for await (const piece of from.read(name)) text += String(piece)
    return text
  }
  assert.equal(await read('a/main.xml'), '1')
  assert.equal(await read('b/c%20d.xml'), '2')
  for (const name of [
    '../x.xml',
    'b/../../x.xml',
    '/x.xml',
    'file:x.xml',
    'http://example.org/x.xml',
    '%2e%2e/x.xml',
  ])
    await assert.rejects(read(name), CommandError, name)
  await assert.rejects(read('b/c d.xml', callerFiles('-', all, inMemory({}))), CommandError)
})
