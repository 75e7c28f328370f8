// What jobs are declared of. A field says three things at once: its type here, how the addon reads
// it, and what is refused.
import { badArgument } from '../../core/errors.js'
import type { Floats } from '../../io/index.js'
import type { NativeFields, NativeType } from '../../native/engine.js'

export interface Field<T, Optional extends boolean = false> {
  /** How native/binding/settings.cc reads it; null where the addon does not. */
  readonly native: NativeType | NativeFields | null
  readonly optional: Optional
  /** What is expected, in words. */
  readonly expected: string
  /** Never called: carries the type. */
  readonly is?: (value: T) => void
  accepts(value: unknown): boolean
}

export type Fields = Readonly<Record<string, Field<never, boolean>>>

type TypeOf<F> = F extends Field<infer T, boolean> ? T : never
type Required<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<never, true> ? never : K
}[keyof F]

/** The values that fields declare. */
export type ValuesOf<F extends Fields> = { [K in Required<F>]: TypeOf<F[K]> } & {
  [K in Exclude<keyof F, Required<F>>]?: TypeOf<F[K]> | undefined
}

export function field<T>(
  native: NativeType | NativeFields | null,
  expected: string,
  accepts: (value: unknown) => boolean,
): Field<T> {
  return { native, expected, accepts, optional: false }
}

const isWhole = (value: unknown) => Number.isSafeInteger(value)
const isFloats = (value: unknown) => value instanceof Float32Array || value instanceof Float64Array
const listOf = (accepts: (value: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.every(accepts)

export const whole = (least: number): Field<number> =>
  field('integer', `a whole number ≥ ${least}`, (value) => isWhole(value) && Number(value) >= least)
export const wholes: Field<number[]> = field(
  'integers',
  'a list of whole numbers ≥ 0',
  listOf((value) => isWhole(value) && Number(value) >= 0),
)
export const numbers: Field<number[]> = field(
  'numbers',
  'a list of finite numbers',
  listOf(Number.isFinite),
)
export const floats: Field<Floats> = field('array', 'an array of floats', isFloats)
/** One for each parameter; null where all are zero. */
export const directions: Field<(Floats | null)[]> = field(
  'arrays',
  'a list of arrays of floats, or null',
  listOf((value) => value === null || isFloats(value)),
)
export function choice<const W extends readonly string[]>(...words: W): Field<W[number]> {
  return field('text', `one of ${words.join(', ')}`, (value) => words.includes(value as string))
}
export function record<const F extends Fields>(fields: F): Field<ValuesOf<F>> {
  const { expected, accepts } = {
    expected: `an object of ${Object.keys(fields).join(', ')}`,
    accepts: (value: unknown) => faultOf(fields, value) === undefined,
  }
  return field(nativeFields(fields), expected, accepts)
}
export function optional<T>(of: Field<T>): Field<T, true> {
  return { ...of, optional: true }
}

/** The declaration as the addon reads it. */
export function nativeFields(fields: Fields): NativeFields {
  const entries = Object.entries(fields).map(([name, { native }]) => [name, native] as const)
  return Object.fromEntries(entries.filter(([, native]) => native !== null)) as NativeFields
}

export const text: Field<string> = field('text', 'a text', (value) => typeof value === 'string')
export function listed<T>(of: Field<T>): Field<T[]> {
  return field(null, `a list, each ${of.expected}`, listOf(of.accepts))
}

/** The first name whose value is not as declared. */
function faultOf(fields: Fields, value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return ''
  const given = value as Record<string, unknown>
  const missing = Object.entries(fields).find(([name, { optional: mayLack, accepts }]) =>
    given[name] === undefined ? !mayLack : !accepts(given[name]),
  )
  return missing?.[0] ?? Object.keys(given).find((name) => !Object.hasOwn(fields, name))
}

/** @throws TangentError BAD_ARGUMENT for the first value that is not as declared. */
export function checkFields(fields: Fields, value: unknown, what: string): void {
  if (typeof value !== 'object' || value === null) throw badArgument(what, 'an object', value)
  const name = faultOf(fields, value)
  if (name === undefined) return
  const expected = fields[name]?.expected ?? `only ${Object.keys(fields).join(', ')}`
  throw badArgument(`${what}.${name}`, expected, (value as Record<string, unknown>)[name])
}
