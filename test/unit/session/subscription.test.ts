// RFC 6121 Appendix A, table by table, and two accounts that talk at random.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  hasFrom,
  hasTo,
  inbound,
  outbound,
  removal,
  unsubscribedState,
  type Subscription,
  type SubscriptionState,
  type SubscriptionType,
  type Transition,
} from '../../../src/session/subscription.js'

function state(
  subscription: Subscription,
  facts: Partial<Omit<SubscriptionState, 'subscription'>> = {},
): SubscriptionState {
  return { ...unsubscribedState, subscription, ...facts }
}

/** RFC 6121 §A.1: the nine states by the names of the tables. */
const states = {
  None: state('none'),
  'None + Pending Out': state('none', { ask: true }),
  'None + Pending In': state('none', { pendingIn: true }),
  'None + Pending Out+In': state('none', { ask: true, pendingIn: true }),
  To: state('to'),
  'To + Pending In': state('to', { pendingIn: true }),
  From: state('from'),
  'From + Pending Out': state('from', { ask: true }),
  Both: state('both'),
}
type StateName = keyof typeof states
const names = Object.keys(states) as StateName[]
const types: SubscriptionType[] = ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed']

/** `pass` is the column ROUTE? or DELIVER?; `next` is the column NEW STATE; "=" says no state change. */
type Table = Record<StateName, readonly [pass: boolean, next: StateName | '=' | 'pre-approval']>

/** A table of tables: the nine tables of §A.2 and §A.3 as they are printed. */
const outboundTables: Record<SubscriptionType, Table> = {
  // Table 2
  subscribe: {
    None: [true, 'None + Pending Out'],
    'None + Pending Out': [true, '='],
    'None + Pending In': [true, 'None + Pending Out+In'],
    'None + Pending Out+In': [true, '='],
    To: [true, '='],
    'To + Pending In': [true, '='],
    From: [true, 'From + Pending Out'],
    'From + Pending Out': [true, '='],
    Both: [true, '='],
  },
  // Table 3
  unsubscribe: {
    None: [true, '='],
    'None + Pending Out': [true, 'None'],
    'None + Pending In': [true, '='],
    'None + Pending Out+In': [true, 'None + Pending In'],
    To: [true, 'None'],
    'To + Pending In': [true, 'None + Pending In'],
    From: [true, '='],
    'From + Pending Out': [true, 'From'],
    Both: [true, 'From'],
  },
  // Table 4
  subscribed: {
    None: [false, 'pre-approval'],
    'None + Pending Out': [false, 'pre-approval'],
    'None + Pending In': [true, 'From'],
    'None + Pending Out+In': [true, 'From + Pending Out'],
    To: [false, 'pre-approval'],
    'To + Pending In': [true, 'Both'],
    From: [false, '='],
    'From + Pending Out': [false, '='],
    Both: [false, '='],
  },
  // Table 5
  unsubscribed: {
    None: [false, '='],
    'None + Pending Out': [false, '='],
    'None + Pending In': [true, 'None'],
    'None + Pending Out+In': [true, 'None + Pending Out'],
    To: [false, '='],
    'To + Pending In': [true, 'To'],
    From: [true, 'None'],
    'From + Pending Out': [true, 'None + Pending Out'],
    Both: [true, 'To'],
  },
}

const inboundTables: Record<SubscriptionType, Table> = {
  // Table 6
  subscribe: {
    None: [true, 'None + Pending In'],
    'None + Pending Out': [true, 'None + Pending Out+In'],
    'None + Pending In': [false, '='],
    'None + Pending Out+In': [false, '='],
    To: [true, 'To + Pending In'],
    'To + Pending In': [false, '='],
    From: [false, '='],
    'From + Pending Out': [false, '='],
    Both: [false, '='],
  },
  // Table 7
  unsubscribe: {
    None: [false, '='],
    'None + Pending Out': [false, '='],
    'None + Pending In': [true, 'None'],
    'None + Pending Out+In': [true, 'None + Pending Out'],
    To: [false, '='],
    'To + Pending In': [true, 'To'],
    From: [true, 'None'],
    'From + Pending Out': [true, 'None + Pending Out'],
    Both: [true, 'To'],
  },
  // Table 8
  subscribed: {
    None: [false, '='],
    'None + Pending Out': [true, 'To'],
    'None + Pending In': [false, '='],
    'None + Pending Out+In': [true, 'To + Pending In'],
    To: [false, '='],
    'To + Pending In': [false, '='],
    From: [false, '='],
    'From + Pending Out': [true, 'Both'],
    Both: [false, '='],
  },
  // Table 9
  unsubscribed: {
    None: [false, '='],
    'None + Pending Out': [true, 'None'],
    'None + Pending In': [false, '='],
    'None + Pending Out+In': [true, 'None + Pending In'],
    To: [true, 'None'],
    'To + Pending In': [true, 'None + Pending In'],
    From: [false, '='],
    'From + Pending Out': [true, 'From'],
    Both: [true, 'From'],
  },
}

function expected(from: StateName, next: Table[StateName][1]): SubscriptionState {
  if (next === '=') return states[from]
  if (next === 'pre-approval') return { ...states[from], approved: true }
  return states[next]
}

for (const [direction, machine, tables] of [
  ['outbound', outbound, outboundTables],
  ['inbound', inbound, inboundTables],
] as const) {
  describe(`RFC 6121 §A: ${direction}`, () => {
    for (const type of types) {
      for (const name of names) {
        const [pass, next] = tables[type][name]
        test(`"${type}" in "${name}"`, () => {
          const result = machine(states[name], type)
          assert.equal(result.pass, pass, 'routed or delivered')
          assert.deepEqual(result.next, expected(name, next))
        })
      }
    }
  })
}

/** What a roster item shows of a state. */
const shown = (s: SubscriptionState) => [s.subscription, s.ask, s.approved].join()

/** The states in which `effect` is what `type` brings about. */
function statesWith(
  machine: typeof outbound,
  type: SubscriptionType,
  effect: (transition: Transition) => boolean,
): StateName[] {
  return names.filter((name) => effect(machine(states[name], type)))
}

describe('what goes with a transition', () => {
  const granting: StateName[] = ['None + Pending In', 'None + Pending Out+In', 'To + Pending In']
  const subscribers: StateName[] = ['From', 'From + Pending Out', 'Both']
  const asking: StateName[] = ['None + Pending Out', 'None + Pending Out+In', 'From + Pending Out']

  test('§3.1.3, note 2 of Table 6: a subscriber who asks again is answered by the server, with presence', () => {
    assert.deepEqual(
      statesWith(inbound, 'subscribe', (t) => t.reply === 'subscribed'),
      subscribers,
    )
    assert.deepEqual(
      statesWith(inbound, 'subscribe', (t) => t.presence === 'available'),
      subscribers,
    )
  })

  test('note 1 of Table 7: "unsubscribe" that changes something is answered by the server', () => {
    assert.deepEqual(
      statesWith(inbound, 'unsubscribe', (t) => t.reply === 'unsubscribed'),
      [...granting, ...subscribers],
    )
  })

  test('§3.3.3: only a subscriber that leaves is sent unavailable presence', () => {
    assert.deepEqual(
      statesWith(inbound, 'unsubscribe', (t) => t.presence === 'unavailable'),
      subscribers,
    )
  })

  test('§3.1.5: approval sends the presence of the available resources', () => {
    assert.deepEqual(
      statesWith(outbound, 'subscribed', (t) => t.presence === 'available'),
      granting,
    )
  })

  test('§3.2.2: cancelling sends unavailable presence to a subscriber and to nobody else', () => {
    assert.deepEqual(
      statesWith(outbound, 'unsubscribed', (t) => t.presence === 'unavailable'),
      subscribers,
    )
  })

  test('answers are never answered', () => {
    for (const type of ['subscribed', 'unsubscribed'] as const) {
      assert.deepEqual(
        statesWith(inbound, type, (t) => t.reply !== undefined || t.presence !== undefined),
        [],
      )
    }
  })

  test('§2.6.3: whatever a roster item shows is pushed when it changes', () => {
    for (const machine of [outbound, inbound]) {
      for (const type of types) {
        for (const before of Object.values(states).flatMap((s) => [s, { ...s, approved: true }])) {
          if (before.approved && (hasFrom(before) || before.pendingIn)) continue
          const { next, push } = machine(before, type)
          if (shown(next) !== shown(before)) assert.ok(push, `${machine.name} ${type} ${shown(before)}`)
        }
      }
    }
  })

  test('§3.1.6, §3.2.3: an answer that fits no question is not pushed', () => {
    assert.deepEqual(
      statesWith(inbound, 'subscribed', (t) => t.push),
      asking,
    )
    assert.deepEqual(
      statesWith(inbound, 'unsubscribed', (t) => t.push),
      ['None + Pending Out', 'None + Pending Out+In', 'To', 'To + Pending In', 'From + Pending Out', 'Both'],
    )
  })
})

describe('RFC 6121 §3.4: pre-approval', () => {
  const approved = names.filter((name) => name === 'None' || name === 'None + Pending Out' || name === 'To')

  for (const name of approved) {
    const before = { ...states[name], approved: true }
    test(`"${name}": a request is granted by the server and not delivered`, () => {
      const { next, pass, push, reply, presence } = inbound(before, 'subscribe')
      assert.deepEqual(
        { pass, push, reply, presence },
        { pass: false, push: true, reply: 'subscribed', presence: 'available' },
      )
      assert.equal(next.approved, false)
      assert.ok(hasFrom(next))
      assert.equal(hasTo(next), hasTo(before))
      assert.equal(next.ask, before.ask)
    })

    test(`"${name}": "unsubscribed" takes it back, unrouted, with a push`, () => {
      const { next, pass, push } = outbound(before, 'unsubscribed')
      assert.deepEqual({ next, pass, push }, { next: states[name], pass: false, push: true })
    })

    test(`"${name}": approving twice changes nothing`, () => {
      const { next, pass, push } = outbound(before, 'subscribed')
      assert.deepEqual({ next, pass, push }, { next: before, pass: false, push: false })
    })

    test(`"${name}": the contact cannot take it back`, () => {
      for (const type of ['unsubscribe', 'unsubscribed'] as const) {
        assert.equal(inbound(before, type).next.approved, true)
      }
    })
  }
})

describe('RFC 6121 §2.5.2: removing an item', () => {
  const implied: Record<StateName, SubscriptionType[]> = {
    None: [],
    'None + Pending Out': ['unsubscribe'],
    'None + Pending In': ['unsubscribed'],
    'None + Pending Out+In': ['unsubscribe', 'unsubscribed'],
    To: ['unsubscribe'],
    'To + Pending In': ['unsubscribe', 'unsubscribed'],
    From: ['unsubscribed'],
    'From + Pending Out': ['unsubscribe', 'unsubscribed'],
    Both: ['unsubscribe', 'unsubscribed'],
  }
  for (const name of names) {
    test(`"${name}" sends ${implied[name].join(', ') || 'nothing'}`, () => {
      assert.deepEqual(removal(states[name]), implied[name])
    })

    test(`"${name}": after these stanzas nothing is left`, () => {
      const end = removal(states[name]).reduce((s, type) => outbound(s, type).next, states[name])
      assert.deepEqual(end, unsubscribedState)
    })
  }
})

type Step = { who: 0 | 1; what: SubscriptionType | 'remove' | 'deliver' }

/** Two accounts and the stanzas on their way, in order (RFC 6120 §10.1), each way. */
class Pair {
  readonly states: [SubscriptionState, SubscriptionState] = [unsubscribedState, unsubscribedState]
  readonly #towards: [SubscriptionType[], SubscriptionType[]] = [[], []]

  step({ who, what }: Step): void {
    if (what === 'deliver') this.#deliver(who)
    else if (what === 'remove') this.#remove(who)
    else this.#say(who, what)
    for (const one of this.states) assertPossible(one)
  }

  settle(): void {
    while (this.#towards.some((queue) => queue.length > 0)) {
      for (const who of [0, 1] as const) this.#deliver(who)
    }
  }

  #remove(who: 0 | 1): void {
    for (const type of removal(this.states[who])) this.#say(who, type)
    this.states[who] = unsubscribedState
  }

  #say(who: 0 | 1, type: SubscriptionType): void {
    const { next, pass } = outbound(this.states[who], type)
    this.states[who] = next
    if (pass) this.#towards[1 - who]!.push(type)
  }

  #deliver(who: 0 | 1): void {
    const type = this.#towards[who].shift()
    if (!type) return
    const { next, reply } = inbound(this.states[who], type)
    this.states[who] = next
    if (reply) this.#towards[1 - who]!.push(reply)
  }
}

function assertPossible(one: SubscriptionState): void {
  assert.ok(!(one.ask && hasTo(one)), 'asks for what it has')
  assert.ok(!(one.pendingIn && hasFrom(one)), 'is asked for what it gave')
  assert.ok(!(one.approved && (one.pendingIn || hasFrom(one))), 'keeps a pre-approval that is used up')
}

const steps = (whats: readonly Step['what'][]) =>
  fc.array(fc.record({ who: fc.constantFrom<0 | 1>(0, 1), what: fc.constantFrom(...whats) }), {
    maxLength: 60,
  })

describe('two accounts', () => {
  test('whose stanzas do not cross always see the same relation', () => {
    fc.assert(
      fc.property(steps([...types, 'remove']), (said) => {
        const pair = new Pair()
        for (const step of said) {
          pair.step(step)
          pair.settle()
          for (const [one, other] of [pair.states, pair.states.toReversed()] as SubscriptionState[][]) {
            assert.equal(hasTo(one!), hasFrom(other!))
            assert.equal(one!.ask, other!.pendingIn)
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  // The RFC's stanzas carry no reference to what they answer, so a refusal that crosses a repeated request also ends
  // the repetition for the one who asked. What can be promised is that nobody waits, or believes, in vain.
  test('whose stanzas cross never wait or believe in vain, and one "unsubscribe" mends the rest', () => {
    fc.assert(
      fc.property(steps([...types, 'remove', 'deliver', 'deliver', 'deliver']), (said) => {
        const pair = new Pair()
        for (const step of said) pair.step(step)
        pair.settle()
        const agree = (holds: (one: SubscriptionState, other: SubscriptionState) => boolean) =>
          holds(pair.states[0], pair.states[1]) && holds(pair.states[1], pair.states[0])
        assert.ok(agree((one, other) => !hasTo(one) || hasFrom(other)))
        assert.ok(agree((one, other) => !one.ask || other.pendingIn))
        for (const who of [0, 1] as const) {
          pair.step({ who, what: 'unsubscribe' })
          pair.settle()
        }
        assert.ok(agree((one, other) => hasTo(one) === hasFrom(other) && one.ask === other.pendingIn))
      }),
      { numRuns: 2000 },
    )
  })
})
