/** Preparing addresses and reading them: remembered, on first sight, and by the profiles. Prints one line each. */
import { Jid, prepareDomain, prepareLocal, prepareResource } from '../../src/stanza/jid.js'

const rounds = 200_000

function measure(name: string, textOf: (round: number) => string, run: (text: string) => unknown): void {
  // Flat strings of their own, as they come from a stream; reading joined ones would measure the joining.
  const texts = Array.from({ length: rounds }, (_, round) => Buffer.from(textOf(round)).toString())
  for (const text of texts.slice(0, 20_000)) run(text)
  const start = process.hrtime.bigint()
  for (const text of texts) run(text)
  const nanoseconds = Number(process.hrtime.bigint() - start)
  console.log(`jid: ${name}: ${(nanoseconds / rounds / 1000).toFixed(3)} us`)
}

const parse = (text: string) => Jid.parse(text)
const latin = (round: number) => `juliet${round}@example.org/balcony`
const cyrillic = (round: number) => `\u0436\u0443\u043b${round}`

measure(
  'three parts prepared, ASCII',
  (round) => `juliet${round}`,
  (local) => [prepareLocal(local), prepareDomain('example.org'), prepareResource('balcony')],
)
measure('localpart prepared by its profile', cyrillic, prepareLocal)
measure('remembered', (round) => latin(round % 500), parse)
measure('ASCII, first sight', latin, parse)
measure(
  'by the profiles, first sight',
  (round) => `${cyrillic(round)}@b\u00fccher.example/\u0431\u0430\u043b\u043a\u043e\u043d`,
  parse,
)
