// The caller's arrays as they are at the moment of a call. Calls go on long after they have
// returned, and read their arrays more than once: what the caller writes then must not count.
import { TangentError } from '../core/errors.js'
import type { NdArray } from './ndarray.js'
import { isSource } from './source.js'
import { isIterable } from './spool.js'

/** Is it one array, not several by name? */
export function isArray(value: unknown): value is NdArray {
  return ArrayBuffer.isView((value as NdArray | null | undefined)?.data)
}

/** A copy of typed numbers, of shared and resizable memory too. */
export function heldNumbers<T>(data: T, name: string): T {
  if (!ArrayBuffer.isView(data) || data instanceof DataView) return data
  try {
    // Of memory that was handed to another thread nothing can be read; it only looks empty.
    if (data.byteLength === 0) new Uint8Array(data.buffer as ArrayBuffer)
    return (data as unknown as Float32Array).slice() as unknown as T
  } catch (cause) {
    throw new TangentError(
      'BAD_INPUT',
      `Expected an array whose memory is still there for ${name} but its buffer was transferred or made smaller`,
      { cause },
    )
  }
}

/** A copy of an array; what is none is for later checks to refuse. */
export function held<T>(value: T, name: string): T {
  if (!isArray(value)) return value
  const { shape } = value
  const own = {
    data: heldNumbers(value.data, name),
    shape: Array.isArray(shape) ? [...shape] : shape,
  }
  return (value.boolean === undefined ? own : { ...own, boolean: value.boolean }) as T
}

/** Of one array, or of those in a record by name (names such as `__proto__` among them). */
export function heldInputs<T>(inputs: T, name: string): T {
  if (isArray(inputs) || typeof inputs !== 'object' || inputs === null) return held(inputs, name)
  // Read when it is time.
  if (isSource(inputs) || isIterable(inputs)) return inputs
  const own = Object.create(null) as Record<string, unknown>
  for (const [key, value] of Object.entries(inputs)) {
    own[key] = held(value, `input ${JSON.stringify(key)} of ${name}`)
  }
  return own as T
}

/** Of a Map from names to arrays or numbers. */
export function heldMap<T>(map: T, name: string): T {
  if (!(map instanceof Map)) return map
  return new Map(
    [...map].map(([key, value]) => {
      const what = `${name}[${JSON.stringify(key)}]`
      return [key, isArray(value) ? held(value, what) : heldNumbers(value, what)]
    }),
  ) as T
}
