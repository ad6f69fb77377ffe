/** Keys of others that one peer was asked about, as the server of their domains (XEP-0220 §2.1.2). */
import { verifyRequest, type Pair, type Verdict } from './dialback.js'
import { Failure } from './facts.js'
import { question, type Question } from './question.js'
import type { Clock } from '../base/clock.js'
import type { Stream } from '../stream/stream.js'

export class Inquiries {
  readonly #clock: Clock
  /** By all that an answer repeats. */
  readonly #open = new Map<string, Question<Verdict>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Waits so many milliseconds for the answer. Rejects with `Failure`. */
  async ask(stream: Stream, pair: Pair, id: string, key: string, within: number): Promise<Verdict> {
    const asked = keyOf(pair, id)
    const running = this.#open.get(asked)
    if (running) return running.promise
    const answered = question<Verdict>()
    this.#open.set(asked, answered)
    const late = this.#clock.after(within, () =>
      answered.reject(new Failure('auth', 'no answer to the dialback key', 'theirs', undefined, 'silent')),
    )
    stream.send(verifyRequest(pair, id, key))
    try {
      return await answered.promise
    } finally {
      late.cancel()
      this.#open.delete(asked)
    }
  }

  /** False: nobody has asked. */
  answer(pair: Pair, id: string, verdict: Verdict): boolean {
    const asked = this.#open.get(keyOf(pair, id))
    asked?.resolve(verdict)
    return asked !== undefined
  }

  /** No answer will come any more. */
  end(reason: Failure): void {
    for (const asked of this.#open.values()) asked.reject(reason)
  }
}

function keyOf({ sender, target }: Pair, id: string): string {
  return `${target} ${sender} ${id}`
}
