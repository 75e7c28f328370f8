import { dirname, join } from 'node:path'
import { Option } from 'commander'
import { adapt } from '../adapt/adapt.js'
import type { AdaptCandidate, AdaptLoss } from '../adapt/choose.js'
import { type AdaptedModel, adaptedFiles, type HoldoutScores } from '../adapt/model.js'
import type { AdaptOptions, HeldOutSamples } from '../adapt/options.js'
import type { Score, Scores } from '../adapt/scores.js'
import type { TargetKind } from '../adapt/targets.js'
import { TangentError } from '../core/errors.js'
import { checkExport } from '../export/jvp.js'
import { type Price, printablePrice } from '../fit/price.js'
import { predictRows, sampleCount } from '../fit/rows.js'
import { makeFolder, writeFileAtomic } from '../io/index.js'
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
import {
  price,
  ridge,
  type StructureOptions,
  stretched,
  structureOptions,
  summarise,
} from './fit.js'
import { inputFormatOption } from './input.js'
import { readLabels } from './labels.js'
import { checkFile, checkFolder } from './places.js'
import { savePredictions, tryRun } from './predictions.js'
import { inputPaths, type OpenInputs, openInputs, readInputs } from './samples.js'

interface Options extends NetworkOptions, StructureOptions {
  input: string[]
  target: string
  targets: TargetKind
  holdout?: string[]
  holdoutTarget?: string
  head: 'auto' | 'new' | 'keep'
  loss: AdaptLoss
  features: 'adaptive' | 'fixed'
  ridge: number | 'auto'
  price: Price
  folds: number
  repeats: number
  seed: number
  predict?: string[]
  export?: string
  out: string
}

export const adaptCommand: CommandDefinition = {
  examples: [
    'adapt model.onnx --input x.npy --target labels.npy --holdout 0.2 --out adapted/',
    'adapt model.onnx --input x.npy --target names.txt --predict test.npy --out adapted/',
    'adapt model.onnx --input x.npy --target y.npy --holdout x2.npy --holdout-target y2.npy --out adapted/',
    'predict adapted/ model.onnx --input test.npy --out predicted.npy',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    new Option(
      '--target <file>',
      'integers (N), names (.txt, a line each; .csv) or one-hot rows (N, C) are classes; other numbers (N, O) are fitted as they are',
    ).makeOptionMandatory(),
    new Option('--targets <kind>', 'what they are taken for, where that is not as above')
      .choices(['auto', 'classes', 'numbers'])
      .default('auto'),
    new Option(
      '--holdout <share>',
      'leave out this share of the samples to score the model, or these samples (files as --input)',
    ).argParser(collect),
    new Option('--holdout-target <file>', 'the targets of such files'),
    new Option(
      '--head <kind>',
      'a new last layer, or the network’s own; auto: new where the targets ask for other outputs',
    )
      .choices(['auto', 'new', 'keep'])
      .default('auto'),
    new Option('--loss <kind>', 'softmax: cross-entropy of classes, with fixed features')
      .choices(['squared', 'softmax'])
      .default('squared'),
    new Option('--features <kind>', 'let the folds decide on adaptive features, or keep them fixed')
      .choices(['adaptive', 'fixed'])
      .default('adaptive'),
    ...structureOptions(),
    new Option('--ridge <number>', 'auto: by folds').argParser(ridge).default('auto'),
    new Option('--price <number>', 'what adapting costs (as in fit); auto: by folds')
      .argParser(price)
      .default('auto'),
    new Option('--folds <n>', 'parts that are held out in turn')
      .argParser(wholeNumber(2))
      .default(5),
    new Option('--repeats <n>', 'shuffles into folds').argParser(wholeNumber(1)).default(2),
    new Option('--seed <n>', 'of the shuffles and the holdout')
      .argParser(wholeNumber(0))
      .default(1),
    new Option('--predict <file>', 'samples to predict, as --input').argParser(collect),
    new Option(
      '--export <file>',
      'write the fitted model as ONNX, in standard operators that any runtime serves',
    ),
    new Option('--out <folder>', 'where results go').makeOptionMandatory(),
    ...derivativeOptions().filter(({ long }) => long !== '--outputs'),
  ],
  async run(session, [model = ''], options: Options) {
    await withNetwork(model, options, {}, async (network) => {
      const { inputFormat: format } = options
      const x = await readInputs(options.input, network, options)
      const y = await readLabels(options.target, { format })
      const holdout = await heldOut(options, network)
      const predict =
        options.predict && (await openInputs(options.predict, network, { ...options, again: true }))
      await checkFolder(options.out, '--out')
      await checkFile(options.export, '--export')
      if (options.export) await checkExport(network, { x })
      const { threads, memory } = options
      if (predict) await tryRun(network, predict, { signal: session.signal, threads, memory })
      const adapted = await watched(session, options, ({ signal, onProgress }) =>
        adapt(network, x, y, { ...adaptOptions(options), holdout, signal, onProgress }),
      )
      try {
        await write(session, adapted, options, predict)
      } finally {
        await adapted.dispose()
      }
    })
  },
}

function adaptOptions(options: Options): AdaptOptions {
  const { features, structure, targets: target, head, loss, left, right, power: p } = options
  const { blocks, ridge: lambda, price: cost, folds, repeats, seed, threads, memory } = options
  return {
    ...{ target, head, loss, left, right, power: p, blocks, threads, memory },
    structure: features === 'fixed' ? 'fixed' : structure,
    ridge: lambda,
    price: cost,
    selection: { folds, repeats, seed },
  }
}

/** A share, or the samples in files. */
async function heldOut(
  options: Options,
  network: Network,
): Promise<number | HeldOutSamples | undefined> {
  const { holdout, holdoutTarget, inputFormat: format } = options
  const [first] = holdout ?? []
  if (holdout === undefined || first === undefined) {
    if (holdoutTarget === undefined) return undefined
    throw wrong('Expected --holdout with the samples that --holdout-target belongs to')
  }
  if (holdout.length === 1 && first.trim() !== '' && Number.isFinite(Number(first))) {
    if (holdoutTarget === undefined) return Number(first)
    throw wrong('Expected files of samples for --holdout together with --holdout-target')
  }
  if (holdoutTarget === undefined) {
    throw wrong(
      `Expected a share between 0 and 1 for --holdout, or files together with --holdout-target, but received ${JSON.stringify(first)} alone`,
    )
  }
  const x = await readInputs(holdout, network, options)
  return { x, y: await readLabels(holdoutTarget, { format }) }
}

const wrong = (message: string) => new TangentError('BAD_ARGUMENT', message)

/** All results: nothing of them is there before all is computed. */
async function write(
  session: Session,
  adapted: AdaptedModel,
  options: Options,
  predict: OpenInputs | undefined,
): Promise<void> {
  const { signal } = session
  const { network, fitted } = adapted
  const { out } = options
  const files = [
    'summary.json',
    ...adaptedFiles.filter((file) => adapted.newHead || file !== 'network.onnx'),
  ]
  await makeFolder(out)
  await removeEarlier(out, ['summary.json', 'predictions.npy', ...adaptedFiles])
  if (predict) {
    const count = await sampleCount(network, predict, { signal })
    const place = { path: join(out, 'predictions.npy'), kind: 'npy' } as const
    await watched(session, options, ({ signal: stop, onProgress }) =>
      savePredictions(place, predictRows(fitted, network, predict, { signal: stop, onProgress }), {
        count,
        flat: false,
        signal,
      }),
    )
    files.push('predictions.npy')
  }
  if (options.export) {
    await makeFolder(dirname(options.export))
    await fitted.exportOnnx(network, options.export, { signal })
  }
  const summary = { ...summarise(fitted, network), input: inputPaths(options.input) }
  const text = `${JSON.stringify(summary, null, 2)}\n`
  await writeFileAtomic(join(out, 'summary.json'), text, { signal })
  await adapted.save(out, { signal })
  tell(session, adapted, options)
  session.result({ ...summary, ...adapted.toJSON(), folder: out, files })
}

function tell(session: Session, adapted: AdaptedModel, { out }: Options): void {
  const { selection, samples, newHead, notes, holdout, fitted } = adapted
  session.say(
    ...notes,
    `Held-out ${selection.by} of ${samples} samples by folds, with its standard error:`,
    ...selection.grid.map((one) => line(one, newHead, selection)),
    stretched(fitted.model),
    ...(holdout ? scored(holdout) : []),
    `Wrote the results to ${out}`,
  )
}

/** One candidate of the grid, the chosen one marked. */
function line(one: AdaptCandidate, newHead: boolean, chosen: AdaptedModel['selection']): string {
  const { headRidge, ridge: lambda, price: cost, error, standardError } = one
  const same = headRidge === chosen.headRidge && lambda === chosen.ridge && cost === chosen.price
  const shown = printablePrice(cost)
  const paid = typeof shown === 'object' ? `absolute:${shown.absolute}` : String(shown)
  const head = newHead ? `head ridge ${(headRidge as number).toExponential(1)}, ` : ''
  return `${same ? '→' : ' '} ${head}ridge ${lambda.toExponential(1)}, price ${paid.padEnd(8)} ${error.toPrecision(3)} ± ${standardError.toPrecision(1)}`
}

function scored({ samples, fitted, probe, network }: HoldoutScores): string[] {
  const models: [string, Scores | null][] = [
    ['this model', fitted],
    ['linear probe', probe],
    ['the network as it was', network],
  ]
  const shown = ({ value, low, high }: Score) =>
    `${value.toPrecision(3)} (${low.toPrecision(3)} to ${high.toPrecision(3)})`
  return [
    `On ${samples} held-out samples, with 95 % intervals:`,
    ...models.flatMap(([name, scores]) => {
      if (!scores) return []
      const words = Object.entries(scores).map(([measure, score]) => `${measure} ${shown(score)}`)
      return [`  ${name}: ${words.join(', ')}`]
    }),
  ]
}
