// All kinds of jobs. A kind is a file here, a class that registers itself in native/jobs by the
// same name, and a row in this table: the types of messages, the worker and the binding follow.

import { features } from './features.js'
import type { ValuesOf } from './fields.js'
import { grouped } from './grouped.js'
import { jacobian } from './jacobian.js'
import type { JobKind } from './kind.js'
import { ntk } from './ntk.js'
import { jvp, normal, product, vjp } from './products.js'
import { sketch } from './sketch.js'

export const jobKinds = { ntk, grouped, jacobian, features, vjp, jvp, normal, product, sketch }

type Kinds = typeof jobKinds

/** What a job is, by its kind: plain data. */
export type Job<K extends keyof Kinds = keyof Kinds> = {
  [P in K]: { kind: P } & ValuesOf<Kinds[P]['fields']>
}[K]

export function kindOf({ kind }: Job): JobKind {
  return jobKinds[kind] as unknown as JobKind
}
