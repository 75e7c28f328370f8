import { join } from 'node:path'
import { Option } from 'commander'
import { type AuditOptions, audit } from '../audit/audit.js'
import { auditPictures, checkTokens, classNamesOf } from '../audit/pictures.js'
import type { Audit } from '../audit/types.js'
import { fitAdaptive, type NetworkModel } from '../fit/network.js'
import type { Price } from '../fit/price.js'
import { integerClasses } from '../io/classes.js'
import { makeFolder, type NdArray, writeFileAtomic, writeNpy } from '../io/index.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { duplicatesTable, labelsTable, queryTable, samplesTable } from './audit-tables.js'
import {
  derivativeOptions,
  inputOption,
  type NetworkOptions,
  watched,
  withNetwork,
} from './command.js'
import { type CommandDefinition, collect, type Session } from './define.js'
import { removeEarlier } from './earlier.js'
import { price, ridge } from './fit.js'
import { inputFormatOption, readGiven, readLines } from './input.js'
import { checkFolder } from './places.js'
import { readInputs } from './samples.js'

interface Options extends NetworkOptions {
  input: string[]
  target: string
  query?: string[]
  features: 'fixed' | 'adaptive'
  ridge?: number | 'auto'
  price?: Price
  outputs?: number[]
  classNames?: string
  tokens?: string
  out: string
}

const files = {
  always: ['labels.csv', 'samples.csv', 'duplicates.csv', 'loo.npy', 'audit.json', 'report.html'],
  query: ['query.csv', 'predictions.npy', 'variance.npy', 'influence.npy', 'representers.npy'],
}

export const auditCommand: CommandDefinition = {
  examples: [
    'audit model.onnx --input x.npy --target labels.npy --out audit/',
    'audit model.onnx --input x.npy --target labels.npy --query new.npy --out audit/',
    'audit model.onnx --input x.npy --target y.npy --ridge 0.1 --outputs 0 --out audit/',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    new Option(
      '--target <file>',
      'integers (N) are classes; numbers (N, O), or (N) where one output is fitted (--outputs k)',
    ).makeOptionMandatory(),
    new Option('--query <file>', 'samples to ask the model about, as --input').argParser(collect),
    new Option('--features <kind>', 'the tangent features as they are, or adapted to the target')
      .choices(['fixed', 'adaptive'])
      .default('fixed'),
    new Option(
      '--ridge <number>',
      'auto: the one of least leave-one-out error (default: auto; 0.001 for adaptive features)',
    ).argParser(ridge),
    new Option(
      '--price <number>',
      'of adaptive features: what adapting costs, as for fit (default: 1)',
    ).argParser(price),
    new Option('--class-names <file>', 'names of the classes, one on each line, by label'),
    new Option(
      '--tokens <file>',
      'texts of the tokens, one on each line, by number: samples are shown in them',
    ),
    new Option('--out <folder>', 'where results go').makeOptionMandatory(),
    ...derivativeOptions(),
  ],
  async run(session, [model = ''], options: Options) {
    await checkFolder(options.out, '--out')
    await withNetwork(model, options, {}, async (network) => {
      const { inputFormat: format } = options
      const x = await readInputs(options.input, network, options)
      const y = await readGiven(options.target, { format })
      const query = options.query && (await readInputs(options.query, network, options))
      const classNames = options.classNames && (await readLines(options.classNames))
      const tokens = options.tokens && (await readLines(options.tokens))
      if (tokens) checkTokens(network, tokens)
      if (classNames) classNamesOf(integerClasses(y)?.labels ?? null, classNames)
      const fitted =
        options.features === 'adaptive' && (await adapted(session, options, network, x, y))
      const settings: AuditOptions = {
        ...{ threads: options.threads, memory: options.memory, query },
        ...(fitted ? { model: fitted } : { ridge: options.ridge, outputs: options.outputs }),
      }
      const found = await watched(session, options, ({ signal, onProgress }) =>
        audit(network, x, y, { ...settings, signal, onProgress }),
      )
      // Here, so that the other commands do not wait for the plotting library to load.
      const { renderAudit } = await import('../report/index.js')
      const pictures = await auditPictures(network, found, x, {
        ...{ query, tokens: tokens || undefined },
      })
      const page = renderAudit(found, { pictures, classNames: classNames || undefined })
      const names = await save(found, page, options.out, session.signal)
      tell(session, found, options.out)
      session.result({ ...summary(found), folder: options.out, files: names })
    })
  },
}

/** The adaptive model that is audited. */
function adapted(
  session: Session,
  { outputs, threads, memory, ridge, price, ...rest }: Options,
  network: Network,
  x: Inputs,
  y: NdArray,
): Promise<NetworkModel> {
  return watched(session, rest, ({ signal, onProgress }) =>
    fitAdaptive(network, x, y, {
      ...{ outputs, threads, memory, ridge, price, signal, onProgress },
    }),
  )
}

async function save(
  found: Audit,
  page: string,
  folder: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { labels, query } = found
  await makeFolder(folder)
  await removeEarlier(folder, [...files.always, ...files.query])
  const text = (name: string, content: string) =>
    writeFileAtomic(join(folder, name), content, { signal })
  const array = (name: string, content: NdArray) =>
    writeNpy(join(folder, name), content, { signal })
  await text('labels.csv', labelsTable(found))
  await text('samples.csv', samplesTable(found))
  await text('duplicates.csv', duplicatesTable(found))
  await array('loo.npy', labels.predictions)
  if (query) {
    await text('query.csv', queryTable(query))
    await array('predictions.npy', query.predictions)
    await array('variance.npy', query.variance)
    await array('influence.npy', query.influence)
    await array('representers.npy', query.representers)
  }
  await text('audit.json', `${JSON.stringify(summary(found), null, 2)}\n`)
  await text('report.html', page)
  return query ? [...files.always, ...files.query] : files.always
}

/** The audit without its arrays, which have files of their own. */
function summary(found: Audit) {
  const { labels, train, query, kind, version, created, software, leaveOneOut, choice } = found
  const { samples, outputs, chosen, features, ridge, evidence } = found
  return {
    ...{ kind, version, created, software, samples, outputs, features, ridge, choice },
    chosen_outputs: chosen,
    leave_one_out: leaveOneOut,
    evidence,
    classes: labels.classes,
    suspicious: labels.order.slice(0, 100).map((i) => ({
      sample: i,
      ...(labels.given && { label: labels.given[i], prediction: labels.predicted?.[i] }),
      suspicion: labels.suspicion[i],
    })),
    duplicates: train.duplicates,
    unsupported: train.unsupported.map((i) => ({ sample: i, support: train.support[i] })),
    query: query && {
      samples: query.samples,
      unusual: query.typical.filter((p) => p <= 0.01).length,
    },
  }
}

function tell(session: Session, found: Audit, folder: string): void {
  const { labels, train, query } = found
  const [worst] = labels.order
  const told =
    labels.given &&
    `, labelled ${labels.given[worst ?? 0]}, predicted ${labels.predicted?.[worst ?? 0]}`
  const unusual = query?.typical.filter((share) => share <= 0.01).length
  session.say(
    `Ridge ${found.ridge.toPrecision(3)}. ${found.leaveOneOut.note}`,
    `Most suspicious: sample ${worst}${told ?? ''}`,
    `Near-duplicates: ${train.duplicates.length} pairs; samples that stand alone: ${train.unsupported.length}`,
    ...(query
      ? [
          `Queries that are less known than 99 % of the training samples: ${unusual} of ${query.samples}`,
        ]
      : []),
    `Report: ${join(folder, 'report.html')}`,
  )
}
