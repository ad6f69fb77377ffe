/** The subscription states of RFC 6121 Appendix A, and what each subscription stanza does to them. Pure: no storage, no sending. */

/** The `subscription` attribute of a roster item (RFC 6121 §2.1.2.5). */
export type Subscription = 'none' | 'to' | 'from' | 'both'

/** The presence types that manage subscriptions (RFC 6121 §3). */
export type SubscriptionType = 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed'

/**
 * The relation to one contact, seen from the user. Of the combinations, `ask` excludes a subscription to the contact,
 * `pendingIn` one from the contact, and `approved` excludes both of the latter: a pre-approval is used up by the
 * request it was given for.
 */
export interface SubscriptionState {
  readonly subscription: Subscription
  /** "Pending Out": the user has asked, the contact has not answered. */
  readonly ask: boolean
  /** "Pending In": the contact has asked, the user has not answered. Never shown in the roster. */
  readonly pendingIn: boolean
  /** RFC 6121 §3.4: the contact's next request will be granted without asking the user. */
  readonly approved: boolean
}

/** The state towards anybody who is not in the roster. */
export const unsubscribedState: SubscriptionState = Object.freeze({
  subscription: 'none',
  ask: false,
  pendingIn: false,
  approved: false,
})

/** What one subscription stanza leads to. */
export interface Transition {
  readonly next: SubscriptionState
  /** Outbound: route the stanza to the contact. Inbound: deliver it to the user. */
  readonly pass: boolean
  /** A roster push is due, if the contact is in the roster (a mere inbound request never puts it there). */
  readonly push: boolean
  /** The server answers the contact with this on behalf of the user. */
  readonly reply: 'subscribed' | 'unsubscribed' | undefined
  /**
   * The contact is to be sent the presence of each available resource: as it is, after `subscribed`;
   * or unavailable, before `unsubscribed`.
   */
  readonly presence: 'available' | 'unavailable' | undefined
}

/** RFC 6121 §A.2: the user sends a subscription stanza to the contact. */
export function outbound(state: SubscriptionState, type: SubscriptionType): Transition {
  const { ask, pendingIn, approved } = state
  switch (type) {
    // RFC 6121 §3.1.2, Table 2: always routed; asking again repeats the request.
    case 'subscribe':
      return hasTo(state) || ask
        ? transition(state, { pass: true })
        : transition({ ...state, ask: true }, { pass: true, push: true })

    // RFC 6121 §3.3.2, Table 3: always routed, so that it can mend a contact's wrong idea.
    case 'unsubscribe':
      return transition(
        { ...state, subscription: hasFrom(state) ? 'from' : 'none', ask: false },
        { pass: true, push: hasTo(state) || ask },
      )

    // RFC 6121 §3.1.5, §3.4.2, Table 4.
    case 'subscribed':
      if (hasFrom(state)) return transition(state, {})
      if (pendingIn) return transition(granted(state), { pass: true, push: true, presence: 'available' })
      return transition({ ...state, approved: true }, { push: !approved })

    // RFC 6121 §3.2.2, Table 5.
    case 'unsubscribed':
      if (hasFrom(state))
        return transition(withdrawn(state), { pass: true, push: true, presence: 'unavailable' })
      if (pendingIn) return transition(withdrawn(state), { pass: true, push: true })
      return transition({ ...state, approved: false }, { push: approved })
  }
}

/** RFC 6121 §A.3: a subscription stanza of the contact arrives for the user. */
export function inbound(state: SubscriptionState, type: SubscriptionType): Transition {
  const { ask, pendingIn, approved } = state
  switch (type) {
    // RFC 6121 §3.1.3, Table 6: granted already, granted in advance, asked already, or new.
    case 'subscribe':
      if (hasFrom(state)) return transition(state, { reply: 'subscribed', presence: 'available' })
      if (approved)
        return transition(granted(state), { push: true, reply: 'subscribed', presence: 'available' })
      if (pendingIn) return transition(state, {})
      return transition({ ...state, pendingIn: true }, { pass: true })

    // RFC 6121 §3.3.3, Table 7.
    case 'unsubscribe':
      if (hasFrom(state)) {
        return transition(withdrawn(state), {
          pass: true,
          push: true,
          reply: 'unsubscribed',
          presence: 'unavailable',
        })
      }
      return pendingIn
        ? transition(withdrawn(state), { pass: true, reply: 'unsubscribed' })
        : transition(state, {})

    // RFC 6121 §3.1.6, Table 8: only an answer to a question counts.
    case 'subscribed':
      return ask
        ? transition(
            { ...state, subscription: hasFrom(state) ? 'both' : 'to', ask: false },
            { pass: true, push: true },
          )
        : transition(state, {})

    // RFC 6121 §3.2.3, Table 9.
    case 'unsubscribed':
      return ask || hasTo(state)
        ? transition(
            { ...state, subscription: hasFrom(state) ? 'from' : 'none', ask: false },
            { pass: true, push: true },
          )
        : transition(state, {})
  }
}

/**
 * RFC 6121 §2.5.2: the stanzas that removing the contact from the roster sends, in order. An open request of either
 * side ends with the item too: it would otherwise come back at every login, or be granted to somebody forgotten.
 */
export function removal(state: SubscriptionState): readonly SubscriptionType[] {
  const types: SubscriptionType[] = []
  if (hasTo(state) || state.ask) types.push('unsubscribe')
  if (hasFrom(state) || state.pendingIn) types.push('unsubscribed')
  return types
}

/** The user gets the contact's presence. */
export function hasTo({ subscription }: Pick<SubscriptionState, 'subscription'>): boolean {
  return subscription === 'to' || subscription === 'both'
}

/** The contact gets the user's presence. */
export function hasFrom({ subscription }: Pick<SubscriptionState, 'subscription'>): boolean {
  return subscription === 'from' || subscription === 'both'
}

function granted(state: SubscriptionState): SubscriptionState {
  return { ...state, subscription: hasTo(state) ? 'both' : 'from', pendingIn: false, approved: false }
}

function withdrawn(state: SubscriptionState): SubscriptionState {
  return { ...state, subscription: hasTo(state) ? 'to' : 'none', pendingIn: false, approved: false }
}

const nothing: Omit<Transition, 'next'> = { pass: false, push: false, reply: undefined, presence: undefined }

function transition(next: SubscriptionState, effects: Partial<Omit<Transition, 'next'>>): Transition {
  return { next, ...nothing, ...effects }
}
