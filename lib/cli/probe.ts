import { basename, join } from 'node:path'
import { Option } from 'commander'
import type { AlongOptions } from '../alignment/types.js'
import { makeFolder, type NdArray, writeFileAtomic } from '../io/index.js'
import type { KernelMethod } from '../kernels/ntk.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import type { ProbeReport, ProbeSubject, ProbeTraining } from '../report/index.js'
import { trajectoryOptions } from './align.js'
import { checkpointPaths, learnedOutputs, trajectory } from './checkpoints.js'
import {
  derivativeOptions,
  inputOption,
  methodOption,
  type NetworkOptions,
  openNetwork,
  watched,
  withNetwork,
} from './command.js'
import { type CommandDefinition, collect, type Session } from './define.js'
import { removeEarlier } from './earlier.js'
import { inputFormatOption, readGiven, readLines } from './input.js'
import { subjectNames } from './names.js'
import { checkFolder } from './places.js'
import { readInputs } from './samples.js'

interface Options extends NetworkOptions {
  input: string[]
  target?: string
  classNames?: string
  checkpoints?: string[]
  learned?: string
  model: boolean
  method: KernelMethod
  outputs?: number[]
  out: string
}

export const probeCommand: CommandDefinition = {
  examples: [
    'probe init.onnx trained.onnx --input x.npy --target labels.npy --out report/',
    'probe model.onnx --input x.npy --out report/',
    'probe start.onnx --checkpoints training/ --input x.npy --target labels.npy --out report/',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    new Option('--target <file>', 'labels (N,) or real values (N, k), a file as for --input'),
    new Option('--class-names <file>', 'names of the classes, one on each line, by label'),
    new Option(
      '--checkpoints <path>',
      'follow the kernel along these files, or those of a folder; again for others',
    ).argParser(collect),
    ...trajectoryOptions(),
    methodOption('the kernels'),
    new Option('--out <folder>', 'gets report.html and report.json').makeOptionMandatory(),
    ...derivativeOptions(),
  ],
  devices: true,
  async run(session, models, options: Options) {
    // Here, so that the other commands do not wait for the plotting library to load.
    await checkFolder(options.out, '--out')
    const { probe, renderReport, reportTable } = await import('../report/index.js')
    const target =
      options.target === undefined
        ? undefined
        : await readGiven(options.target, { format: options.inputFormat })
    const classNames =
      options.classNames === undefined ? undefined : await readLines(options.classNames)
    const along = options.checkpoints ? await checkpointPaths(options.checkpoints) : []
    const last = along.at(-1)
    // With checkpoints and one model: that, or the first of them, against the last.
    const ends = options.model ? [models[0], last] : [along[0], last]
    const single = last !== undefined && models.length === 1
    const shown = (single ? [...new Set(ends)] : models) as string[]
    const names = subjectNames(shown)
    const subject = (network: Network, at: number): ProbeSubject => ({
      name: names[at] as string,
      network,
      file: shown[at] as string,
    })
    // The first network tells the inputs' names; the others are open one at a time.
    const report = await withNetwork(models[0] as string, options, {}, async (first) => {
      const x = await readInputs(options.input, first, options)
      const networks = async function* () {
        for (const [at, path] of shown.entries()) {
          if (path === models[0]) {
            yield subject(first, at)
            continue
          }
          const network = await (single ? first.withParameters(path) : openNetwork(path, options))
          try {
            yield subject(network, at)
          } finally {
            await network.dispose()
          }
        }
      }
      const found = await watched(
        session,
        options,
        (watch) =>
          probe(networks(), x, target, {
            ...watch,
            method: options.method,
            classNames,
            inputFiles: inputFiles(first, options.input),
            targetFile: options.target && basename(options.target),
            count: shown.length,
          }),
        first,
      )
      if (along.length > 0) {
        found.training = await training(
          session,
          options,
          first,
          models[0] as string,
          along,
          x,
          target,
        )
      }
      return found
    })
    const files = await save(report, renderReport(report), options.out, session.signal)
    session.say(...reportTable(report), '', `Report: ${files.html}`)
    session.result({ ...summary(report), ...files })
  },
}

/** Follows the kernel along the checkpoints. */
async function training(
  session: Session,
  options: Options,
  network: Network,
  model: string,
  files: readonly string[],
  x: Inputs,
  target: NdArray | undefined,
): Promise<ProbeTraining> {
  const { probeTraining } = await import('../report/index.js')
  const { signal } = session
  const { method, outputs } = options
  const checkpoints = trajectory(network, model, files, options.model)
  const { learned, name } = await learnedOutputs(options.learned, network, x, target, checkpoints, {
    outputs,
    signal,
  })
  const words = { last: 'the last checkpoint’s outputs', target: 'the target' }
  return watched(session, options, (watch) => {
    const settings: AlongOptions = { ...watch, learned, method }
    return probeTraining(network, x, checkpoints, target, {
      ...settings,
      learnedName: name in words ? words[name as keyof typeof words] : name,
    })
  })
}

/** Which file holds which input. */
function inputFiles(network: Network, given: readonly string[]): Record<string, string> {
  const files: Record<string, string> = Object.create(null)
  for (const { name } of network.inputs) {
    const named = given.find((text) => text.startsWith(`${name}=`))
    const path = named?.slice(name.length + 1) ?? (given.length === 1 ? given[0] : undefined)
    if (path !== undefined) files[name] = basename(path)
  }
  return files
}

async function save(report: ProbeReport, page: string, folder: string, signal: AbortSignal) {
  const files = { html: join(folder, 'report.html'), json: join(folder, 'report.json') }
  await makeFolder(folder)
  await removeEarlier(folder, ['report.html', 'report.json'])
  await writeFileAtomic(files.json, `${JSON.stringify(report)}\n`, { signal })
  await writeFileAtomic(files.html, page, { signal })
  return files
}

/** The report without its pictures and long lists. */
function summary({ samples, networks }: ProbeReport) {
  return {
    samples,
    networks: networks.map(
      ({ name, parameterCount, trace, alignment, accuracy, spectrum, layers }) => ({
        name,
        parameters: parameterCount,
        trace,
        alignment,
        accuracy,
        spectrum: { of: spectrum.of, size: spectrum.size, effectiveRank: spectrum.effectiveRank },
        layers: layers.map(({ raster: _, ...layer }) => layer),
      }),
    ),
  }
}
