// Numbers for an architecture's parameters from elsewhere.

import { settleControlFlow } from '../control/settle.js'
import { badArgument, mismatch, TangentError } from '../core/errors.js'
import { defaultBudget } from '../core/memory.js'
import { quote } from '../core/quote.js'
import { shapeSize } from '../core/shape.js'
import { readableName } from '../graph/names.js'
import { prepareGraph, type Weight, type WeightOptions } from '../graph/prepare.js'
import { sameStructure } from '../graph/structure.js'
import {
  checkArray,
  type Floats,
  isFloat,
  type NdArray,
  readSafetensors,
  toFloat32,
  toFloats,
} from '../io/index.js'
import {
  type AxisOptions,
  initializerData,
  movedNumbers,
  type OnnxModel,
  openModel,
} from '../onnx/index.js'
import type { Architecture } from './architecture.js'

/** Numbers of one parameter or statistic. */
export type WeightValues = ReadonlyMap<string, Floats>

/** Where other weights come from: arrays by name, or an `.onnx` or `.safetensors` file. */
export type WeightSource = ReadonlyMap<string, NdArray | Floats> | string

/** The numbers that the model's own file holds; those that lie in shared memory are not copied. */
export async function ownWeights(
  model: OnnxModel,
  weights: readonly Weight[],
): Promise<Map<string, Floats>> {
  const values = new Map<string, Floats>()
  for (const { name, tensor } of weights) {
    const moved = movedNumbers(tensor)
    const data = moved ?? (await initializerData(model, tensor, { float32: true })).data
    values.set(name, data as Floats)
  }
  return values
}

/**
 * The architecture's weights with those of `source` in their place.
 * @throws TangentError BAD_ARGUMENT or BAD_FILE naming what does not fit.
 */
export async function otherWeights(
  architecture: Architecture,
  current: WeightValues,
  source: WeightSource,
  tying: WeightOptions,
): Promise<WeightValues> {
  if (source instanceof Map) return fromMap(architecture, current, source)
  if (typeof source !== 'string') {
    throw badArgument(
      'source',
      "a Map of arrays, or the path of a '.onnx' or '.safetensors' file",
      source,
    )
  }
  if (source.toLowerCase().endsWith('.safetensors')) return fromSafetensors(architecture, source)
  return fromOnnx(architecture, source, tying)
}

interface Entry {
  weight: Weight
  label: string
}

function entries(architecture: Architecture): Entry[] {
  return architecture.fed.map((weight) => ({
    weight,
    label: readableName(weight.name, weight.consumer, weight.position).label,
  }))
}

/** A Map may name some of the parameters; the others keep their numbers. */
function fromMap(
  architecture: Architecture,
  current: WeightValues,
  source: ReadonlyMap<string, NdArray | Floats>,
): WeightValues {
  const known = entries(architecture)
  const byName = new Map(known.map((entry) => [entry.weight.name, entry]))
  // Of several with one label the first.
  const byLabel = new Map([...known].reverse().map((entry) => [entry.label, entry]))
  const values = new Map(current)
  for (const [name, given] of source) {
    const entry = byName.get(name) ?? byLabel.get(name)
    if (!entry) throw badArgument('source', 'names of parameters', name)
    const { shape } = entry.weight
    const array =
      given instanceof Float32Array || given instanceof Float64Array
        ? { data: given, shape: [...shape] }
        : given
    values.set(entry.weight.name, fitted(array, entry.weight, quote(name), architecture.double))
  }
  return values
}

/** The array's numbers, checked against the parameter's shape, in memory of their own. */
function fitted(array: NdArray, weight: Weight, label: string, double: boolean): Floats {
  checkArray(array, label)
  const { shape } = weight
  const count = shapeSize(shape)
  if (!isFloat(array) || array.shape.join() !== shape.join() || array.data.length !== count) {
    throw mismatch(
      label,
      `floats of shape (${shape.join(', ')})`,
      `an array (${array.shape.join(', ')}) of ${array.data.length} numbers`,
    )
  }
  const { data } = toFloats(array, double)
  return data === array.data ? data.slice() : data
}

/** PyTorch state dicts: by name, and transposed where the exporter transposed a weight. */
async function fromSafetensors(architecture: Architecture, path: string): Promise<WeightValues> {
  const { tensors } = await readSafetensors(path)
  const values = new Map<string, Floats>()
  const used = new Set<string>()
  const missing: string[] = []
  for (const { weight, label } of entries(architecture)) {
    const name = [weight.name, weight.source, label].find((key) => tensors.has(key))
    const array = name === undefined ? undefined : tensors.get(name)
    if (!array || name === undefined) {
      missing.push(weight.name)
      continue
    }
    used.add(name)
    const renamed = name === label && label !== weight.name
    const shown = `${quote(name)} of ${path}`
    values.set(
      weight.name,
      fitted(renamed ? oriented(array, weight) : array, weight, shown, architecture.double),
    )
  }
  if (missing.length > 0) {
    throw new TangentError(
      'BAD_FILE',
      `Expected all parameters in ${path} but ${missing.length} are not there: ${listed(missing)}`,
    )
  }
  // Counters of BatchNormalization are next to the weights in every PyTorch checkpoint.
  const extra = [...tensors].filter(([name, array]) => !used.has(name) && isFloat(array))
  if (extra.length > 0) {
    throw new TangentError(
      'BAD_FILE',
      `Expected only parameters of the network in ${path} but it holds others: ${listed(extra.map(([name]) => name))}`,
    )
  }
  return values
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5).map(quote).join(', ')
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown
}

/** Exporters write `x @ W.T` as a MatMul with the transposed weight, under a name of their own. */
function oriented(array: NdArray, { shape, consumer }: Weight): NdArray {
  const [rows = 0, columns = 0] = array.shape
  if (consumer?.op !== 'MatMul' || array.shape.length !== 2 || shape.length !== 2) return array
  const { data } = toFloat32(array)
  const out = new Float32Array(data.length)
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) out[j * rows + i] = data[i * columns + j] as number
  }
  return { data: out, shape: [columns, rows] }
}

/** Another export of the same network: matched node by node, since exporters number names. */
async function fromOnnx(
  architecture: Architecture,
  path: string,
  tying: WeightOptions & AxisOptions,
): Promise<WeightValues> {
  const { batchAxis, shared } = tying
  const opened = await openModel(path, { axes: { batchAxis, shared } })
  const how = { threads: 1, memory: defaultBudget() }
  const { control, ...model } = await settleControlFlow(opened, tying, how)
  const other = prepareGraph(control?.whole ?? model, tying)
  const match = await sameStructure(
    { model: architecture.model, graph: architecture.graph },
    { model, graph: other },
    new Set(architecture.fed.map(({ id }) => id)),
  )
  const values = new Map<string, Floats>()
  const byId = new Map(other.weights.map((weight) => [weight.id, weight]))
  for (const weight of architecture.fed) {
    const twin = byId.get(match.get(weight.id) ?? -1)
    if (!twin) throw new TangentError('BAD_FILE', `Expected ${quote(weight.name)} in ${path}`)
    const array = await initializerData(model, twin.tensor, { float32: true })
    values.set(
      weight.name,
      fitted(array, weight, `${quote(twin.name)} of ${path}`, architecture.double),
    )
  }
  return values
}
