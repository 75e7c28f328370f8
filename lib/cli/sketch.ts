import { Option } from 'commander'
import { TangentError } from '../core/errors.js'
import {
  type ArrayKind,
  type ArraySource,
  type Floats,
  isSource,
  type NdArray,
  openArray,
  wholeOf,
} from '../io/index.js'
import type { SketchError } from '../kernels/sketch/types.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { sketchKinds } from '../runtime/jobs/sketch.js'
import { type NystromOptions, nystrom, storedNystromError } from '../sketch/nystrom.js'
import { type MeasuredSketchOptions, sketch, storedError } from '../sketch/sketch.js'
import {
  derivativeOptions,
  inputOption,
  type NetworkOptions,
  nonFiniteOption,
  watched,
  withNetwork,
} from './command.js'
import { type CommandDefinition, type Session, wholeNumber } from './define.js'
import { inputFormatOption, readGiven } from './input.js'
import { isNumbers, numbersOf } from './normalize.js'
import {
  type ArrayPlace,
  type ArraysPlace,
  arrayPlace,
  arraysPlace,
  formatOption,
  saveArray,
  saveArrays,
  saveRows,
} from './results.js'
import { openInputs, readInputs } from './samples.js'
import {
  checkStoreOptions,
  fillStore,
  type StoreOptions,
  storeOptions,
  tellStatus,
} from './store.js'
import { flattened, RowStream } from './stream.js'

interface Options extends NetworkOptions, StoreOptions {
  input: string[]
  outputs?: number[]
  dim: number
  kind: (typeof sketchKinds)[number] | 'nystrom'
  seed: number
  by: 'total' | 'layer' | 'parameter'
  head?: string
  check: number
  nonFinite: 'throw' | 'return'
  out?: string
  format?: ArrayKind
}

export const sketchCommand: CommandDefinition = {
  examples: [
    'sketch model.onnx --input x.npy --dim 4096 --out sketches.npy',
    'sketch model.onnx --input images.zarr --dim 1024 --head 1,-1,0 --out sketches.zarr',
    'sketch model.onnx --input x.npy --dim 1024 --by layer --out sketches/',
    'sketch model.onnx --input images.npy --scale 1/255 --dim 4096 --store sketches.zarr',
    'sketch model.onnx --input x.npy --kind nystrom --dim 64 --store landmarks.zarr',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    new Option('--dim <k>', 'numbers of each sketch; of nystrom: landmarks')
      .argParser(wholeNumber(1))
      .default(4096),
    new Option('--kind <kind>', 'how they are made')
      .choices([...sketchKinds, 'nystrom'])
      .default('combined'),
    new Option('--seed <s>', 'which of all random maps').argParser(wholeNumber(0)).default(1),
    new Option('--by <part>', 'one sketch, or one each in a folder')
      .choices(['total', 'layer', 'parameter'])
      .default('total'),
    new Option(
      '--head <weights>',
      'one row for each sample: a weight for each output, with commas, or a file of weights (N, O) or (N, O, H)',
    ),
    new Option('--check <n>', 'samples whose exact kernel is compared, 0: none')
      .argParser(wholeNumber(0))
      .default(16),
    new Option(
      '--out <path>',
      '(N, O, k), or (N, k) for a head: a .npy, .npz, .csv or .zarr file, - is standard output; with --by a folder, a .npz file or a .zarr group',
    ),
    ...storeOptions(),
    formatOption(),
    nonFiniteOption(),
    ...derivativeOptions(),
  ],
  devices: true,
  async run(session, [model = ''], options: Options) {
    checkStoreOptions(options)
    const { by, kind, store } = options
    if (kind === 'nystrom' && (by !== 'total' || options.head !== undefined)) {
      throw new TangentError('BAD_ARGUMENT', 'Expected no --by and no --head for --kind nystrom')
    }
    if (store !== undefined) return toStore(session, model, { ...options, store })
    const out = options.out as string
    const place = by === 'total' ? await arrayPlace(out, '--out', options.format) : undefined
    const several = place ? undefined : await arraysPlace(out, '--out')
    await withNetwork(model, options, {}, async (network) => {
      const x = await readInputs(options.input, network, options)
      const { dim: size, seed, check } = options
      const heads = options.head === undefined ? undefined : await headsOf(options.head)
      const flat =
        heads !== undefined && (Array.isArray(heads) || (heads as NdArray).shape.length < 3)
      const asked = { size, seed, by, heads, check }
      const call = { network, x, flat, place, several }
      const found = await watched(
        session,
        options,
        ({ signal, onProgress, ...watch }) => {
          const limits = { signal, onProgress, ...watch }
          if (kind !== 'nystrom') return toFiles(session, call, { ...limits, ...asked, kind })
          const { outputs } = watch
          const own = { signal, onProgress, outputs, landmarks: size, seed, check }
          return landmarksTo(session, call, own)
        },
        network,
      )
      tell(session, found, out)
    })
  },
}

/** Tile by tile to a store, which others may help to fill. */
async function toStore(
  session: Session,
  model: string,
  options: Options & { store: string },
): Promise<void> {
  if (options.status) return tellStatus(session, options.store, options)
  const { kind, head, input, by, seed, check, outputs, nonFinite, threads, memory } = options
  await withNetwork(model, options, {}, async (network) => {
    const x = await openInputs(input, network, options)
    const common = { seed, outputs, nonFinite, threads, memory }
    const { signal } = session
    const checked = async (measure: () => Promise<SketchError>) => {
      if (check === 0) return { relative_error: null, error: null }
      const error = await measure()
      sayError(session, error)
      return { relative_error: overall(error), error }
    }
    if (kind === 'nystrom') {
      const call = { ...common, landmarks: options.dim }
      const request = { kind, x, ...call } as const
      const more = () => checked(() => storedNystromError(network, x, { ...call, signal, check }))
      return fillStore(session, options, { network, request, input, more })
    }
    const heads = head === undefined ? undefined : await storedHeads(head)
    const call = { ...common, size: options.dim, by }
    const request = { kind: 'sketch', map: kind, x, heads, ...call } as const
    const more = () =>
      checked(async () => {
        const own = isSource(heads) ? await wholeOf(heads, '--head') : heads
        return storedError(network, x, { ...call, heads: own, kind, signal, check })
      })
    const file = isSource(heads) ? head : undefined
    await fillStore(session, options, { network, request, input, heads: file, more })
  })
}

/** Weights for each output, or those of a file by rows. */
async function storedHeads(text: string): Promise<readonly number[] | ArraySource> {
  return isNumbers(text) ? numbersOf(text, '--head') : openArray(text)
}

interface Call {
  network: Network
  x: Inputs
  /** Without the axis of heads. */
  flat: boolean
  place: ArrayPlace | undefined
  several: ArraysPlace | undefined
}

interface Found {
  shape: readonly number[]
  error: SketchError | null
}

/** Tile by tile to one file, or parts to several. */
async function toFiles(
  { signal }: Session,
  { network, x, flat, place, several }: Call,
  options: MeasuredSketchOptions,
): Promise<Found> {
  if (place) {
    const sink = new RowStream(flat)
    const work = sink.ended(sketch(network, x, { ...options, sink }))
    work.catch(() => {})
    const header = await sink.header
    // What cannot be written ends the work as well; the writer knows why.
    await saveRows(place, header, sink.rows(), signal).catch((error) => sink.stop(error))
    const { error } = await work
    return { shape: header.shape, error }
  }
  const made = await sketch(network, x, options)
  const parts = new Map(
    [...made.parts].map(([name, array]) => [name, flat ? flattened(array) : array]),
  )
  const describe = (name: string) => ({ shape: parts.get(name)?.shape })
  await saveArrays(several as ArraysPlace, parts, 'sketches.json', describe, signal)
  const [{ shape } = { shape: [] }] = parts.values()
  return { shape, error: made.error }
}

async function landmarksTo(
  { signal }: Session,
  { network, x, place }: Call,
  options: NystromOptions,
): Promise<Found> {
  const made = await nystrom(network, x, options)
  const array = made.parts.get('total') as NdArray<Floats>
  await saveArray(place as ArrayPlace, array, signal)
  return { shape: array.shape, error: made.error }
}

/** Of all pairs of the compared rows. */
function overall({ diagonal, offDiagonal, samples, outputs }: SketchError): number {
  const rows = samples.length * outputs.length
  return Math.sqrt((diagonal ** 2 + (rows - 1) * offDiagonal ** 2) / rows)
}

/** `1,-1,0`, or a file. */
async function headsOf(text: string): Promise<readonly number[] | NdArray> {
  if (!isNumbers(text)) return readGiven(text, { numbers: 'float' })
  return numbersOf(text, '--head')
}

function tell(session: Session, { shape, error }: Found, out: string): void {
  session.say(`Wrote sketches of shape (${shape.join(', ')}) to ${out}`)
  if (error) sayError(session, error)
  session.result({ shape, relative_error: error && overall(error), error, file: out })
}

function sayError(session: Session, error: SketchError): void {
  const { diagonal, offDiagonal, expected, samples, outputs } = error
  const [on, off] = [diagonal, offDiagonal].map((value) => value.toPrecision(3))
  const line = expected
    ? `; ${expected.diagonal.toPrecision(3)} and ${expected.offDiagonal.toPrecision(3)} are expected`
    : ''
  session.say(
    `Inner products are off by ${on} (diagonal) and ${off} (off it) of √(Kii Kjj), root mean square, against the exact kernel of ${samples.length} samples and ${outputs.length} outputs or heads${line}`,
  )
}
