/** The features that rooms have. The order is the one of their hooks, of the form's fields and of what follows an entry. */
import { anonymity } from './anonymity.js'
import type { FeatureSource } from './feature.js'
import { nicks } from './nicks.js'
import { presence } from './presence.js'
import { subject } from './subject.js'

export const features: readonly FeatureSource[] = [
  // Who may come in and speak.
  nicks,
  // What is shown of whom.
  anonymity,
  presence,
  // After the entry: history first, the subject last (XEP-0045 §7.1).
  subject,
]
