import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutSuperseded } from '../../../src/session/superseded.js'
import { Stanza } from '../../../src/stanza/stanza.js'

test('of presence that informs only the last of each sender is left, and nothing else goes', () => {
  const stanzas = [
    '<presence from="a@x/1" id="0"/>',
    '<presence from="a@x/2" id="1"/>',
    '<message from="a@x/1" id="2"/>',
    '<presence from="a@x/1" id="3" type="unavailable"/>',
    '<presence from="a@x" id="4" type="subscribe"/>',
    '<presence from="a@x" id="5" type="subscribe"/>',
    '<presence from="a@x/1" id="6" type="error"/>',
    '<iq from="a@x/1" id="7" type="result"/>',
    '<presence from="a@x/1" id="8"/>',
    '<presence from="a@x/2" id="9" type="unavailable"/>',
  ].map((text) => ({ stanza: Stanza.parse(text.replace(' ', ` xmlns='jabber:client' `)) }))
  assert.deepEqual(
    withoutSuperseded(stanzas).map(({ stanza }) => stanza.id),
    ['2', '4', '5', '6', '7', '8', '9'],
  )
  assert.deepEqual(withoutSuperseded([]), [])
})
