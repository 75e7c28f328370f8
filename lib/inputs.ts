// What the caller gives as X → what onnxruntime takes, checked.
import { checkArray, type DType, dtypeOf, type NdArray, zeros } from './arrays/index.js'
import { badArgument, TangentError } from './errors.js'
import type { Feed, FeedArray, FeedType } from './forward/protocol.js'
import { quote, type ValueInfo } from './onnx/index.js'

/** Samples: one array, or one per input of the network by name. The first dimension is N. */
export type Inputs = NdArray | Readonly<Record<string, NdArray>>

/**
 * Checks the caller's arrays against what the network declares.
 * @throws TangentError BAD_INPUT in one sentence.
 */
export function feedOf(inputs: Inputs, declared: readonly ValueInfo[], argument = 'x'): Feed {
  const named = byName(inputs, declared, argument)
  const sizes = new Map<string, number>()
  let samples = -1
  const arrays = declared.map((info): FeedArray => {
    const array = named.get(info.name) as NdArray
    const label = declared.length > 1 ? `input ${quote(info.name)}` : argument
    checkArray(array, label)
    checkShape(array, info, label, sizes)
    const [count = 0] = array.shape
    if (samples >= 0 && count !== samples) {
      throw bad(
        `Expected ${samples} samples for ${label} as for the other inputs but received ${count}`,
      )
    }
    samples = count
    if (array.data.length === 0) {
      throw bad(
        `Expected at least one sample for ${label} but received the shape ${show(array.shape)}`,
      )
    }
    const feed = converted(array, info, label)
    checkFinite(feed, label)
    return feed
  })
  return { samples, arrays }
}

const bad = (message: string) => new TangentError('BAD_INPUT', message)
const show = (shape: readonly unknown[]) => `(${shape.map((size) => size ?? '?').join(', ')})`

function isArray(inputs: Inputs): inputs is NdArray {
  return ArrayBuffer.isView((inputs as NdArray).data)
}

function byName(
  inputs: Inputs,
  declared: readonly ValueInfo[],
  argument: string,
): Map<string, NdArray> {
  if (typeof inputs !== 'object' || inputs === null) {
    throw badArgument(argument, 'an array { data, shape } or one for each input', inputs)
  }
  const names = declared.map(({ name }) => name)
  if (isArray(inputs)) {
    const [only] = names
    if (only === undefined || names.length > 1) {
      throw bad(
        `Expected arrays by name for ${argument} (${names.map(quote).join(', ')}) but received one array`,
      )
    }
    return new Map([[only, inputs]])
  }
  for (const name of Object.keys(inputs)) {
    if (!names.includes(name)) {
      throw bad(
        `Expected ${names.map(quote).join(', ')} for the inputs in ${argument} but received ${quote(name)}`,
      )
    }
  }
  return new Map(
    names.map((name) => {
      const array = Object.hasOwn(inputs, name) ? inputs[name] : undefined
      if (!array)
        throw bad(`Expected an array for input ${quote(name)} in ${argument} but received none`)
      return [name, array]
    }),
  )
}

function checkShape(
  array: NdArray,
  info: ValueInfo,
  label: string,
  sizes: Map<string, number>,
): void {
  const { shape } = info
  if (!shape) {
    if (array.shape.length > 0) return
    throw bad(
      `Expected an array whose first dimension is the samples for ${label} but received a number`,
    )
  }
  const wrong = () =>
    bad(
      `Expected the shape ${show(['N', ...shape.slice(1)])} for ${label} but received ${show(array.shape)}`,
    )
  if (array.shape.length !== shape.length) throw wrong()
  shape.forEach((size, axis) => {
    const given = array.shape[axis] as number
    if (axis === 0) return
    if (typeof size === 'number' && size !== given) throw wrong()
    if (typeof size === 'string') {
      const before = sizes.get(size)
      if (before !== undefined && before !== given) {
        throw bad(
          `Expected one size for the dimension ${quote(size)} of the inputs but received ${before} and ${given}`,
        )
      }
      sizes.set(size, given)
    }
  })
}

const integers: readonly DType[] = [
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
]

/** Floats of another width and integers of another width are converted, nothing else is. */
function converted(array: NdArray, info: ValueInfo, label: string): FeedArray {
  const from = dtypeOf(array)
  const to = info.type
  const wrong = () =>
    bad(
      `Expected ${to ?? info.typeName} numbers for ${label} but received an array of type ${from}`,
    )
  const shape = [...array.shape]
  const done = (type: FeedType, data: FeedArray['data']): FeedArray => ({
    name: info.name,
    type,
    shape,
    data,
  })
  if (to === null || to === 'float16' || to === 'bfloat16') {
    throw new TangentError(
      'UNSUPPORTED',
      `Expected a network whose inputs are float32, float64, integers or booleans but ${label} is ${info.typeName}`,
    )
  }
  if (from === to) return done(to, array.data)
  if (to === 'float32' && from === 'float64') {
    return done(to, Float32Array.from(array.data as Float64Array))
  }
  if (to === 'float64' && from === 'float32') {
    return done(to, Float64Array.from(array.data as Float32Array))
  }
  if (to === 'bool' || !integers.includes(from) || !integers.includes(to)) throw wrong()
  const data = zeros(to, array.data.length)
  const big = data instanceof BigInt64Array || data instanceof BigUint64Array
  for (let e = 0; e < data.length; e += 1) {
    const value = array.data[e] as number | bigint
    data[e] = (big ? BigInt(value) : Number(value)) as never
    if (BigInt(data[e] as number | bigint) !== BigInt(value)) {
      throw bad(`Expected ${to} numbers for ${label} but received ${value} at ${place(e, shape)}`)
    }
  }
  return done(to, data)
}

function checkFinite({ data, shape }: FeedArray, label: string): void {
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return
  for (let e = 0; e < data.length; e += 1) {
    if (!Number.isFinite(data[e])) {
      throw bad(
        `Expected finite numbers for ${label} but received ${data[e]} at ${place(e, shape)}`,
      )
    }
  }
}

/** `[3, 0, 5]`: index of flat entry e. */
export function place(e: number, shape: readonly number[]): string {
  const index: number[] = []
  let rest = e
  for (const size of [...shape].reverse()) {
    index.unshift(rest % size)
    rest = Math.floor(rest / size)
  }
  return `[${index.join(', ')}]`
}
