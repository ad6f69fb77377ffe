/** A typed place for a module's state on a session: made on first use, gone with the session. */

export class Slot<T> {
  readonly name: string
  readonly make: () => T

  constructor(name: string, make: () => T) {
    this.name = name
    this.make = make
  }
}
