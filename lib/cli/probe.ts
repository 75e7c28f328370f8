import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Option } from 'commander'
import { readArray, readBytes, writeFileAtomic } from '../arrays/index.js'
import type { KernelMethod } from '../calls/ntk.js'
import type { Network } from '../network.js'
import type { ProbeReport, ProbeSubject } from '../report/index.js'
import {
  type CommandDefinition,
  derivativeOptions,
  inputOption,
  type NetworkOptions,
  openNetwork,
  readInputs,
  watched,
  withNetwork,
} from './command.js'
import { subjectNames } from './names.js'

interface Options extends NetworkOptions {
  input: string[]
  target?: string
  classNames?: string
  method: KernelMethod
  outputs?: number[]
  out: string
}

export const probeCommand: CommandDefinition = {
  name: 'probe',
  arguments: '<model...>',
  summary: 'show what training did to the tangent kernel: a report of one or more checkpoints',
  examples: [
    'probe init.onnx trained.onnx --input x.npy --target labels.npy --out report/',
    'probe model.onnx --input x.npy --out report/',
  ],
  options: [
    inputOption(),
    new Option('--target <file>', 'labels (N,) or real values (N, k), .npy or .pb'),
    new Option('--class-names <file>', 'names of the classes, one on each line, by label'),
    new Option('--method <way>', 'how to compute the kernels')
      .choices(['auto', 'jacobian', 'structured', 'products'])
      .default('auto'),
    new Option('--out <folder>', 'gets report.html and report.json').makeOptionMandatory(),
    ...derivativeOptions(),
  ],
  async run(session, models, options: Options) {
    // Here, so that the other commands do not wait for the plotting library to load.
    const { probe, renderReport, reportTable } = await import('../report/index.js')
    const target = options.target === undefined ? undefined : await readArray(options.target)
    const classNames =
      options.classNames === undefined ? undefined : await readLines(options.classNames)
    const names = subjectNames(models)
    const subject = (network: Network, at: number): ProbeSubject => ({
      name: names[at] as string,
      network,
      file: models[at] as string,
    })
    // The first network tells the inputs' names; the others are open one at a time.
    const report = await withNetwork(models[0] as string, options, {}, async (first) => {
      const x = await readInputs(options.input, first)
      const networks = async function* () {
        yield subject(first, 0)
        for (let at = 1; at < models.length; at++) {
          const network = await openNetwork(models[at] as string, options)
          try {
            yield subject(network, at)
          } finally {
            await network.dispose()
          }
        }
      }
      return await watched(session, options, (watch) =>
        probe(networks(), x, target, {
          ...watch,
          method: options.method,
          classNames,
          inputFiles: inputFiles(first, options.input),
          targetFile: options.target && basename(options.target),
          count: models.length,
        }),
      )
    })
    const files = await save(report, renderReport(report), options.out, session.signal)
    session.say(...reportTable(report), '', `Report: ${files.html}`)
    session.result({ ...summary(report), ...files })
  },
}

/** Which file holds which input. */
function inputFiles(network: Network, given: readonly string[]): Record<string, string> {
  const files: Record<string, string> = {}
  for (const { name } of network.inputs) {
    const named = given.find((text) => text.startsWith(`${name}=`))
    const path = named?.slice(name.length + 1) ?? (given.length === 1 ? given[0] : undefined)
    if (path !== undefined) files[name] = basename(path)
  }
  return files
}

async function readLines(path: string): Promise<string[]> {
  const text = new TextDecoder().decode(await readBytes(path))
  return text.replace(/\r?\n$/, '').split(/\r?\n/)
}

async function save(report: ProbeReport, page: string, folder: string, signal: AbortSignal) {
  const files = { html: join(folder, 'report.html'), json: join(folder, 'report.json') }
  await mkdir(folder, { recursive: true })
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
