/** A promise that others settle, and whose failure may also go unheard. */
import type { Failure } from './facts.js'

export interface Question<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(failure: Failure): void
}

export function question<T>(): Question<T> {
  let resolve: (value: T) => void = ignore
  let reject: (failure: Failure) => void = ignore
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(ignore)
  return { promise, resolve, reject }
}

function ignore(): void {}
