// Products with the Jacobian, which is never formed.
import { directions, floats, whole } from './fields.js'
import { jobKind, type Place } from './kind.js'

const columns = whole(1)
const ofParameter = (_: unknown, { parameter }: Place) =>
  `the sum over the samples for parameter ${parameter}`

/** Jᵀu for cotangents (N, O, columns). Results: for each parameter (columns, …shape). */
export const vjp = jobKind('vjp', { cotangents: floats, columns }, ofParameter, { devices: true })

/** J·Δ for directions (columns, …shape). Result: (N, O, columns). */
export const jvp = jobKind(
  'jvp',
  { directions, columns },
  ({ columns: width }, { row }) => `the product with the direction for ${row(width)}`,
  { devices: true },
)

/** Jᵀ(J·Δ). Results: for each parameter (columns, …shape). */
export const normal = jobKind('normal', { directions, columns }, ofParameter, { devices: true })

/** K·v = J(Jᵀv) for vectors (N, O, columns). Result: (N, O, columns). */
export const product = jobKind(
  'product',
  { vectors: floats, columns },
  ({ columns: width }, { row }) => `the product with v for ${row(width)}`,
  { keepsRuns: true, devices: true },
)
