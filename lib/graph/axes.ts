// Where each input holds its samples, as far as a file's names and sizes tell.
import { badArgument } from '../core/errors.js'
import { quote } from '../core/quote.js'
import {
  type AxisOptions,
  type Dimension,
  isBatchWord,
  isRealName,
  type ValueInfo,
} from '../onnx/index.js'

/**
 * The axis of an input's samples. `one`: the file takes one sample and has no axis for it. `shared`:
 * the input is the same for all samples.
 */
export type Place = number | 'one' | 'shared'

/** More than these are never tried. */
const most = 24

const lengthWord =
  /^(t|l|s|w|h|c|f)$|time|seq|len|frame|step|token|width|height|chan|feat|text|audio|wave/i
const isFree = (size: Dimension | undefined) => typeof size !== 'number'

/** The name of the samples' dimension, where a file has a word for it. */
function batchName(
  inputs: readonly ValueInfo[],
  { batchAxis = {}, shared = [] }: AxisOptions,
): string | undefined {
  const open = inputs.filter(({ name }) => !shared.includes(name))
  const said = open.map(({ name, shape }) => shape?.[batchAxis[name] ?? -1])
  const words = open.flatMap(({ shape }) => shape ?? []).filter((size) => isBatchWord(size))
  return said.find(isRealName) ?? words.find(isRealName)
}

/** Where one input may hold its samples, the likeliest first. */
function candidates(
  { name, shape }: ValueInfo,
  batch: string | undefined,
  options: AxisOptions,
  { freed, several }: { freed: boolean; several: boolean },
): Place[] {
  if (options.shared?.includes(name)) return ['shared']
  const said = options.batchAxis?.[name]
  if (said !== undefined) return [said ?? 'one']
  if (!shape) return [0]
  if (shape.length === 0) return ['shared']
  const named = shape.indexOf(batch ?? null)
  const worded = batch !== undefined && named >= 0 ? named : shape.findIndex(isBatchWord)
  // A batch that was made free may have been no batch.
  if (worded >= 0) return freed ? [worded, 'one'] : [worded]
  const axes = shape.map((_, axis) => axis)
  const free = axes.filter((axis) => isFree(shape[axis]))
  const isLength = (axis: number) => lengthWord.test(String(shape[axis] ?? ''))
  const ordered = [...free.filter((axis) => !isLength(axis)), ...free.filter(isLength)]
  const ones = axes.filter((axis) => shape[axis] === 1)
  if (batch !== undefined) {
    return free.length > 0 ? [...ordered, 'shared'] : ['shared', ...ones]
  }
  if (isFree(shape[0])) return [...ordered, 'one']
  const others = ones.filter((axis) => axis > 0)
  if (shape[0] === 1) return several ? [0, ...ordered, ...others, 'shared'] : [0]
  const rest: Place[] = several ? ['shared', 'one'] : ['one']
  return [...ordered, ...ones, ...rest]
}

/**
 * What may be meant, the likeliest first: a place for each input.
 * @param freed whether a fixed batch was made free.
 */
export function hypotheses(
  inputs: readonly ValueInfo[],
  options: AxisOptions,
  freed: boolean,
): Place[][] {
  const batch = batchName(inputs, options)
  const several = inputs.filter(({ shape }) => shape?.length !== 0).length > 1
  let found: { places: Place[]; cost: number }[] = [{ places: [], cost: 0 }]
  for (const info of inputs) {
    const own = candidates(info, batch, options, { freed, several })
    found = found.flatMap(({ places, cost }) =>
      own.map((place, k) => ({ places: [...places, place], cost: cost + k })),
    )
    found = found.sort((a, b) => a.cost - b.cost).slice(0, 8 * most)
  }
  const some = found.map(({ places }) => places).filter((all) => all.some((p) => p !== 'shared'))
  return some.slice(0, most)
}

/** The only axis of an output that has the name of the inputs' batch. */
export function namedAxis(
  { shape }: ValueInfo,
  inputs: readonly ValueInfo[],
  places: readonly Place[],
): number | undefined {
  const names = inputs.map((info, k) => info.shape?.[places[k] as number]).filter(isRealName)
  const axes = (shape ?? []).flatMap((size, k) => (names.includes(size as string) ? [k] : []))
  return axes.length === 1 ? axes[0] : undefined
}

/** Why the network cannot be fed sample by sample or in batches; undefined where it can. */
export function batchProblem(
  inputs: readonly ValueInfo[],
  places: readonly (readonly Place[])[],
): string | undefined {
  if (inputs.length === 0) return 'Expected a network with an input but it has none'
  if (places.length > 0) return undefined
  const names = inputs.map(({ name }) => quote(name)).join(', ')
  return `Expected an input with samples but all that the network has (${names}) are the same for all samples`
}

/** @throws TangentError BAD_ARGUMENT for names, axes or a combination that the file does not have. */
export function checkAxisOptions(
  { batchAxis, shared }: AxisOptions,
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
): void {
  const names = inputs.map(({ name }) => name)
  if (shared !== undefined && !Array.isArray(shared)) {
    throw badArgument('options.shared', 'a list of inputs', shared)
  }
  for (const name of shared ?? []) {
    if (names.includes(name)) continue
    throw badArgument(
      'options.shared',
      `an input of the network (${names.map(quote).join(', ')})`,
      name,
    )
  }
  if (batchAxis === undefined) return
  if (typeof batchAxis !== 'object' || batchAxis === null) {
    throw badArgument('options.batchAxis', 'axes by name of an input or output', batchAxis)
  }
  for (const [name, axis] of Object.entries(batchAxis)) {
    const info = [...inputs, ...outputs].find((entry) => entry.name === name)
    if (!info) {
      const all = [...names, ...outputs.map((entry) => entry.name)].map(quote).join(', ')
      throw badArgument('options.batchAxis', `an input or output of the network (${all})`, name)
    }
    const option = `options.batchAxis[${quote(name)}]`
    if (shared?.includes(name)) {
      throw badArgument(option, 'no axis of an input that is shared', axis)
    }
    const rank = info.shape?.length ?? Infinity
    if (axis === null || (Number.isInteger(axis) && axis >= 0 && axis < rank)) continue
    const range = rank === Infinity ? 'a whole number' : `an axis from 0 to ${rank - 1}`
    throw badArgument(option, `${range}, or null`, axis)
  }
}
