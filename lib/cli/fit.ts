import { rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import { TangentError } from '../core/errors.js'
import { checkExport } from '../export/jvp.js'
import type { FitIteration } from '../fit/adaptive.js'
import type { BlockSplit } from '../fit/blocks.js'
import type { PriceSelection } from '../fit/choices.js'
import {
  type ExportForm,
  fitAdaptive,
  type NetworkFitOptions,
  type NetworkModel,
} from '../fit/network.js'
import { type Price, printablePrice } from '../fit/price.js'
import { predictRows, sampleCount } from '../fit/rows.js'
import type { Structure } from '../fit/rules.js'
import { saveModel } from '../fit/storage.js'
import { makeFolder, type NdArray, readArray, writeFileAtomic, writeNpy } from '../io/index.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import {
  derivativeOptions,
  inputOption,
  type NetworkOptions,
  watched,
  withNetwork,
} from './command.js'
import { type CommandDefinition, collect, type Session, wholeNumber } from './define.js'
import { removeEarlier } from './earlier.js'
import { inputFormatOption, readGiven } from './input.js'
import { checkFile, checkFolder, checkOwnFile } from './places.js'
import { savePredictions, tryRun } from './predictions.js'
import { jsonLine } from './progress.js'
import { inputPaths, type OpenInputs, openInputs, readInputs, singleInput } from './samples.js'

/** What {@link structureOptions} read. */
export interface StructureOptions {
  left: number | 'none'
  right: number | 'none'
  blocks: BlockSplit
  structure: Exclude<Structure, 'fixed'>
  power: number
}

interface Options extends NetworkOptions, StructureOptions {
  input: string[]
  target: string
  outputs?: number[]
  features: 'adaptive' | 'fixed'
  ridge?: number | 'auto'
  price?: Price
  starts?: number
  maxIterations?: number
  solver: 'kernel' | 'products'
  predict?: string[]
  export?: string
  exportForm: ExportForm
  checkpoint?: string
  out: string
}

/** How features may be transformed. */
export const structureOptions = () => [
  new Option('--left <power>', 'p of |z − 1|^p on the left, or none').argParser(side).default(2),
  new Option('--right <power>', 'the same on the right').argParser(side).default(2),
  new Option('--blocks <split>', 'a block per layer, [W b], or per parameter')
    .choices(['layer', 'parameter'])
    .default('layer'),
  new Option('--structure <kind>', 'how features are transformed')
    .choices(['matrix', 'modes', 'diagonal', 'flat'])
    .default('matrix'),
  new Option('--power <power>', 'p of modes, diagonal and flat').argParser(power).default(2),
]

export const fitCommand: CommandDefinition = {
  devices: true,
  examples: [
    'fit model.onnx --input x.npy --target y.npy --out fit/',
    'fit model.onnx --input x.npy --target labels.npy --predict test.npy --out fit/',
    'fit model.onnx --input x.npy --target y.npy --output logits --outputs 3 --out fit/',
    'fit model.onnx --input x.npy --target y.npy --features fixed --ridge 0 --out fit/',
    'fit model.onnx --input x.npy --target y.npy --export fitted.onnx --out fit/',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    new Option(
      '--target <file>',
      'integers (N) are classes; numbers (N, O), or (N) where one output is fitted (--outputs k)',
    ).makeOptionMandatory(),
    new Option('--features <kind>', 'transform the features while fitting, or leave them')
      .choices(['adaptive', 'fixed'])
      .default('adaptive'),
    new Option(
      '--ridge <number>',
      '0: exact interpolation; auto: by held-out samples (default: 0.001; auto with --price auto)',
    ).argParser(ridge),
    new Option(
      '--price <number>',
      'what adapting costs, in units of the fixed model (default: 1); absolute:<number>; auto: by folds',
    ).argParser(price),
    new Option('--starts <n>', 'starts of which the best end is kept (default: 1)').argParser(
      wholeNumber(1),
    ),
    ...structureOptions(),
    new Option('--max-iterations <n>', 'kernel solves at most (default: 1000)').argParser(
      wholeNumber(1),
    ),
    new Option('--solver <kind>', 'factor the kernel, or iterate without storing it')
      .choices(['kernel', 'products'])
      .default('kernel'),
    new Option('--predict <file>', 'samples to predict, as --input').argParser(collect),
    new Option(
      '--checkpoint <file>',
      'keep the state of an unfinished fit here (.npy), and go on from it',
    ),
    new Option(
      '--export <file>',
      'write the fitted model as ONNX, in standard operators that any runtime serves',
    ),
    new Option(
      '--export-form <form>',
      'linear: exactly the fitted model, f(x; θ0) + ⟨X, B⟩; weights: the network with θ0 + Δ as weights, another function (how far they are apart is told)',
    )
      .choices(['linear', 'weights'])
      .default('linear'),
    new Option('--out <folder>', 'where results go').makeOptionMandatory(),
    ...derivativeOptions(),
  ],
  async run(session, [model = ''], options: Options) {
    // Predictions and what is exported are the processor's.
    await withNetwork(model, options, { device: 'cpu' }, async (network) => {
      const { inputFormat: format } = options
      const x = await readInputs(options.input, network, options)
      const target = await readGiven(options.target, { format })
      const predict =
        options.predict && (await openInputs(options.predict, network, { ...options, again: true }))
      const fitting = fitOptions(options, target)
      // What would fail after the fit should fail before it.
      await checkFolder(options.out, '--out')
      await checkFile(options.export, '--export')
      await checkOwnFile(options.checkpoint, '--checkpoint')
      if (options.export && options.exportForm === 'linear') await checkExport(network, { x })
      if (predict) await tryRun(network, predict, { signal: session.signal, ...resources(options) })
      const { checkpoint } = options
      const resume = checkpoint === undefined ? undefined : await readState(checkpoint)
      const fitted = await watched(session, options, ({ signal, onProgress }) =>
        fitAdaptive(network, x, target, {
          ...fitting,
          signal,
          onProgress,
          selection: { onProgress },
          resume,
          onIteration: (iteration) => tellIteration(session, options, iteration),
          onCheckpoint: checkpoint === undefined ? undefined : (state) => keep(checkpoint, state),
        }),
      )
      const files = ['summary.json', 'model.safetensors']
      await makeFolder(options.out)
      await removeEarlier(options.out, [...files, 'predictions.npy'])
      if (predict) {
        const place = { path: join(options.out, 'predictions.npy'), kind: 'npy' } as const
        const flat = target.shape.length === 1 && fitted.model.outputs === 1
        const count = await sampleCount(network, predict, { signal: session.signal })
        await watched(session, options, ({ signal, onProgress }) =>
          savePredictions(place, predictRows(fitted, network, predict, { signal, onProgress }), {
            count,
            flat,
            signal: session.signal,
          }),
        )
        files.push('predictions.npy')
      }
      await saveModel(join(options.out, 'model.safetensors'), fitted, { signal: session.signal })
      if (options.export) {
        await makeFolder(dirname(options.export))
        const { exportForm: form } = options
        await fitted.exportOnnx(network, options.export, { form, x, signal: session.signal })
      }
      const apart = options.export
        ? await exportApart(session, fitted, network, x, options.exportForm, predict)
        : {}
      const input = inputPaths(options.input)
      const summary = { ...summarise(fitted, network), input, ...apart }
      await writeFileAtomic(
        join(options.out, 'summary.json'),
        `${JSON.stringify(summary, null, 2)}\n`,
        { signal: session.signal },
      )
      // With the limit raised, the same command goes on from there.
      const unfinished = fitted.model.status.name === 'iteration limit'
      if (checkpoint !== undefined && !unfinished) await rm(checkpoint, { force: true })
      conclude(session, fitted, options.out)
      session.result({ ...summary, folder: options.out, files })
    })
  },
}

const resources = ({ threads, memory }: Options) => ({ threads, memory })

/** The state that an earlier run of the same fit left. */
async function readState(path: string): Promise<Float64Array | undefined> {
  const there = await stat(path).catch(() => undefined)
  if (!there) return undefined
  const { data } = await readArray(path)
  if (data instanceof Float64Array) return data
  throw new TangentError('BAD_FILE', `${path} is not the checkpoint of a fit.`)
}

/** Without the signal: it is written because of that. */
async function keep(path: string, state: Float64Array): Promise<void> {
  await makeFolder(dirname(path))
  await writeNpy(path, { data: state, shape: [state.length] })
}

function fitOptions(options: Options, target: NdArray): NetworkFitOptions {
  const { features, left, right, structure, ridge: lambda, power: p, blocks, outputs } = options
  const { price: cost, starts } = options
  if (target.shape.length !== 1 && target.shape.length !== 2) {
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected targets of shape (N) or (N, O) for --target but received (${target.shape.join(', ')})`,
    )
  }
  const { threads, memory, device, maxIterations, solver } = options
  return {
    outputs,
    structure: features === 'fixed' ? 'fixed' : structure,
    left,
    right,
    power: p,
    ridge: lambda,
    price: cost,
    starts,
    blocks,
    threads,
    memory,
    device,
    maxIterations,
    solver,
  }
}

/** How far the exported weights are from the fitted model, in words and for the summary. */
async function exportApart(
  session: Session,
  fitted: NetworkModel,
  network: Network,
  x: Inputs,
  form: ExportForm,
  predict: OpenInputs | undefined,
): Promise<object> {
  const { signal } = session
  if (form === 'linear') {
    session.say('The exported network computes the fitted model, f(x; θ0) + ⟨X, B⟩.')
    return { export: { form } }
  }
  const input = await fitted.exportDifference(network, x, { signal })
  const more = predict && singleInput(predict, network)
  const other = more && (await fitted.exportDifference(network, more, { signal }))
  const others = other === undefined ? '' : `, ${other.toPrecision(3)} times on those of --predict`
  session.say(
    'The exported network computes f(x; θ0 + Δ) with the fitted change added to its weights; the fitted model is f(x; θ0) + ⟨X, B⟩.',
    `Their outputs differ by ${input.toPrecision(3)} times the norm of the fitted model's on the samples of --input${others}.`,
  )
  const difference = { input, ...(other === undefined ? {} : { predict: other }) }
  return { export: { form, relative_difference: difference } }
}

export function summarise({ model, classes }: NetworkModel, network: Network): object {
  const { objective, penalty, misfit, iterations, status, ridge: lambda, price } = model
  const last = iterations.at(-1)
  return {
    objective,
    penalty,
    misfit,
    ridge: lambda,
    price: printablePrice(price.value),
    relative_price: price.relative,
    largest_stretch: model.largestStretch,
    iterations: last?.iteration ?? 0,
    status: status.name,
    advice: status.advice,
    stationarity: last?.stationarity ?? null,
    samples: model.targets.length / model.outputs,
    outputs: model.outputs,
    device: model.device?.name ?? null,
    ...(model.selection && { selection: printableSelection(model.selection) }),
    ...(model.starts && { starts: model.starts }),
    classes: classes ?? null,
    parameters: network.parameters.filter(({ frozen }) => !frozen).length,
    singular_values: Object.fromEntries(
      model.blocks.map(({ name, singularValues }) => [name, [...singularValues]]),
    ),
    effective_rank: Object.fromEntries(
      model.blocks.map(({ name, effectiveRank }) => [name, effectiveRank]),
    ),
  }
}

function printableSelection({ grid, price, ...rest }: PriceSelection): object {
  const printable = grid.map((each) => ({ ...each, price: printablePrice(each.price) }))
  return { price: printablePrice(price), ...rest, grid: printable }
}

function tellIteration(session: Session, { json, quiet }: Options, found: FitIteration): void {
  const { iteration, objective, stationarity } = found
  if (json && !quiet) jsonLine('iteration', { iteration, objective, stationarity })
  if (iteration % 10 !== 0) return
  session.say(
    `Iteration ${iteration}: objective ${objective.toPrecision(8)}, stationarity ${stationarity.toExponential(1)}`,
  )
}

/** What to try, in this command's words. */
const advice = {
  'iteration limit':
    'Raise --max-iterations; with --checkpoint the same command goes on from where it ended.',
  stalled: 'Rounding hides further progress: a larger --ridge conditions the kernel better.',
  singular:
    'The kernel plus ridge is not positive definite in double precision: a larger --ridge helps, or leaving out duplicated samples.',
}

function conclude(session: Session, { model }: NetworkModel, folder: string): void {
  const { objective, penalty, status, iterations } = model
  session.say(
    `${status.name} after ${iterations.at(-1)?.iteration ?? 0} iterations: objective ${objective.toPrecision(8)}, penalty ${penalty.toPrecision(8)}`,
    ...(status.name === 'converged' ? [stretched(model)] : [advice[status.name]]),
    `Wrote the results to ${folder}`,
  )
}

/** How far the features went, in this command's words. */
export function stretched({ price: paid, largestStretch, starts }: NetworkModel['model']): string {
  if (paid.value === Number.POSITIVE_INFINITY) return 'The features are fixed ones.'
  const spread =
    starts === undefined
      ? ''
      : ` Of ${starts.objectives.length} starts number ${starts.best + 1} is kept; the worst objective is ${(100 * starts.spread).toPrecision(2)} % higher.`
  const how =
    largestStretch < 1.001
      ? 'Nothing was stretched: these are fixed features; a lower --price lets them adapt.'
      : `The largest stretch is ${largestStretch.toPrecision(3)}.`
  return how + spread
}

export function price(text: string): Price {
  if (text === 'auto') return text
  const [, absolute, number = ''] = /^(absolute:)?(.*)$/.exec(text) ?? []
  const value = Number(number)
  if (number.trim() === '' || !(value > 0 && Number.isFinite(value))) {
    throw new InvalidArgumentError('Expected a number above 0, absolute:<number> or auto.')
  }
  return absolute ? { absolute: value } : value
}

function side(text: string): number | 'none' {
  return text === 'none' ? 'none' : power(text)
}

function power(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value > 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('Expected a positive power, or none for a side.')
}

export function ridge(text: string): number | 'auto' {
  if (text === 'auto') return text
  const value = Number(text)
  if (text.trim() !== '' && value >= 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('Expected a number ≥ 0, or auto.')
}
