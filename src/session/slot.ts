/** A typed place for a module's state on a session: made on first use, gone with the session. */

/** How a state outlives a restart of the server with its session (XEP-0198 §5); what is saved must be fit for JSON. */
export interface Kept<T> {
  /** Undefined: nothing worth keeping. */
  save(state: T): unknown
  restore(saved: unknown): T
}

export class Slot<T> {
  readonly name: string
  readonly make: () => T
  /** Without it the state begins anew. */
  readonly kept: Kept<T> | undefined

  constructor(name: string, make: () => T, kept?: Kept<T>) {
    this.name = name
    this.make = make
    this.kept = kept
  }

  /** Of a plain object: what is not in an older one is as when it is made. */
  static plain<T extends object>(name: string, make: () => T): Slot<T> {
    return new Slot(name, make, {
      save: (state) => state,
      restore: (saved) => ({ ...make(), ...(saved as T) }),
    })
  }
}
