import assert from 'node:assert/strict'
import { test } from 'node:test'
import { modules } from '../../src/modules/index.js'
import { doap, xepTable } from '../../src/modules/table.js'
import { parseElement } from '../../src/xml/parser.js'
import { between, generated, presentText } from '../generated.js'

for (const document of generated)
  test(`${document.path} is what the code says; if not: node dist/test/generated.js`, () => {
    const present = presentText(document)
    assert.equal(document.wanted(present), present)
  })

test('the table has a row for each XEP of each module, by number', () => {
  const rows = xepTable(modules).trim().split('\n').slice(2)
  const numbers = rows.map((row) => Number(/^\| \[(\d{4})\]/.exec(row)?.[1]))
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  )
  for (const { name, xeps } of modules)
    for (const { number, version } of xeps) {
      const row = rows.find(
        (one) => one.startsWith(`| [${String(number).padStart(4, '0')}]`) && one.includes(`\`${name}\``),
      )
      assert.ok(row?.includes(`| ${version} |`), `XEP ${number} of ${name}`)
    }
  assert.match(xepTable(modules), /registration` \| off by default \|/)
})

test('XEP-0453: the DOAP file is XML with all of them', () => {
  const text = doap(modules, 'a & b')
  const document = parseElement(text.replace(/^<\?xml[^>]*>\n/, ''))
  const project = document.child('Project')!
  assert.equal(project.child('shortdesc')?.text, 'a & b')
  const supported = project.childrenOf('implements').flatMap((one) => one.childrenOf('SupportedXep'))
  const table = xepTable(modules).trim().split('\n').length - 2
  assert.equal(supported.length, table)
  assert.ok(supported.every((one) => one.child('xep') && one.child('version') && one.child('status')))
  assert.match(text, /\n {6}<xmpp:SupportedXep>\n {8}<xmpp:xep rdf:resource="/)
})

test('a generated part of a document replaces what stands between its marks', () => {
  assert.equal(
    between('a\n<!-- x -->\nold\n<!-- /x -->\nb', 'x', 'new\n'),
    'a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb',
  )
  assert.throws(() => between('no marks', 'x', 'new'), /<!-- x -->/)
})
