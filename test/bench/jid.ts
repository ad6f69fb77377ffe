/** Reading addresses: remembered, plain ASCII on first sight, and prepared by the profiles. Prints one line each. */
import { Jid } from '../../src/stanza/jid.js'

const rounds = 200_000

function measure(name: string, textOf: (round: number) => string): void {
  const texts = Array.from({ length: rounds }, (_, round) => textOf(round))
  for (const text of texts.slice(0, 20_000)) Jid.parse(text)
  const start = process.hrtime.bigint()
  for (const text of texts) Jid.parse(text)
  const nanoseconds = Number(process.hrtime.bigint() - start)
  console.log(`jid: ${name}: ${(nanoseconds / rounds / 1000).toFixed(3)} us`)
}

measure('remembered', (round) => `juliet${round % 500}@example.com/balcony`)
measure('ASCII, first sight', (round) => `juliet${round}@example.org/balcony`)
measure('upper case', (round) => `Juliet${round}@example.org/balcony`)
measure(
  'prepared',
  (round) => `\u0436\u0443\u043b${round}@b\u00fccher.example/\u0431\u0430\u043b\u043a\u043e\u043d`,
)
