import { join } from 'node:path'
import { Option } from 'commander'
import { alignmentAlong } from '../alignment/along.js'
import { csvTable, type PlainCheckpoint, plainCheckpoint } from '../alignment/table.js'
import type { AlongOptions } from '../alignment/types.js'
import { makeFolder, writeFileAtomic, writeNpy } from '../io/index.js'
import type { KernelMethod, KernelSplit } from '../kernels/ntk.js'
import { checkpointPaths, learnedOutputs, trajectory } from './checkpoints.js'
import {
  derivativeOptions,
  inputOption,
  methodOption,
  type NetworkOptions,
  numberList,
  watched,
  withNetwork,
} from './command.js'
import { type CommandDefinition, plainText, type Session } from './define.js'
import { removeEarlier } from './earlier.js'
import { inputFormatOption, readGiven } from './input.js'
import { checkFolder } from './places.js'
import { readInputs } from './samples.js'

interface Options extends NetworkOptions {
  input: string[]
  target?: string
  learned?: string
  model: boolean
  kernel: 'trace' | 'full'
  by: KernelSplit
  method: KernelMethod
  top: number[]
  spectrum: 'parts' | 'total' | 'none'
  outputs?: number[]
  out: string
}

/** How the commands that follow checkpoints say what was learned, and where they begin. */
export const trajectoryOptions = () => [
  new Option(
    '--learned <what>',
    "ŷ of the target kernel: 'last' checkpoint's outputs, the 'target', or a file (N, O)",
  ),
  new Option('--no-model', "begin with the first checkpoint, not with the model's own weights"),
]

export const alignCommand: CommandDefinition = {
  examples: [
    'align start.onnx checkpoints/ --input x.npy --target labels.npy --out alignment/',
    'align start.onnx step-10.onnx step-20.safetensors --input x.npy --by parameter --out alignment/',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    new Option('--target <file>', 'labels (N,) or real values (N, k), a file as for --input'),
    ...trajectoryOptions(),
    new Option(
      '--kernel <kind>',
      'kernels summed over outputs, (N, N), or Gram matrices (N·O, N·O)',
    )
      .choices(['trace', 'full'])
      .default('trace'),
    new Option('--by <part>', 'what is measured in addition to the whole kernel')
      .choices(['layer', 'parameter', 'total'])
      .default('layer'),
    new Option('--top <list>', "leading eigenvectors for the targets' energy, such as 1,10")
      .argParser(numberList)
      .default([1, 5, 10, 50], '1,5,10,50'),
    new Option('--spectrum <of>', 'whose eigenvalues are computed')
      .choices(['parts', 'total', 'none'])
      .default('parts'),
    methodOption('the kernels'),
    new Option(
      '--out <folder>',
      'gets alignment.json, alignment.csv and eigenvalues.npy',
    ).makeOptionMandatory(),
    ...derivativeOptions(),
  ],
  devices: true,
  async run(session, [model = '', ...paths], options: Options) {
    const { by, kernel, method, top, spectrum, outputs } = options
    await checkFolder(options.out, '--out')
    const files = await checkpointPaths(paths)
    await withNetwork(model, options, {}, async (network) => {
      const x = await readInputs(options.input, network, options)
      const target =
        options.target === undefined
          ? undefined
          : await readGiven(options.target, { format: options.inputFormat })
      const checkpoints = trajectory(network, model, files, options.model)
      const { signal } = session
      const { learned, name: learnedName } = await learnedOutputs(
        options.learned,
        network,
        x,
        target,
        checkpoints,
        { outputs, signal },
      )
      const settings = { target, learned, by, kernel, method, top, spectrum }
      const found: PlainCheckpoint[] = []
      const eigenvalues: Float64Array[] = []
      await watched(session, options, async (watch) => {
        const along: AlongOptions = { ...watch, ...settings }
        for await (const item of alignmentAlong(network, x, checkpoints, along)) {
          found.push(plainCheckpoint(item))
          if (item.total.eigenvalues) eigenvalues.push(item.total.eigenvalues)
        }
      })
      const saved = await save(
        options.out,
        found,
        eigenvalues,
        { learnedName, kernel, by, top },
        signal,
      )
      tell(session, found, options.out)
      session.result({ checkpoints: found, learned: learnedName, kernel, by, top, files: saved })
    })
  },
}

async function save(
  folder: string,
  checkpoints: readonly PlainCheckpoint[],
  eigenvalues: readonly Float64Array[],
  { learnedName, ...rest }: { learnedName: string; kernel: string; by: string; top: number[] },
  signal: AbortSignal,
): Promise<Record<string, string>> {
  await makeFolder(folder)
  const json = join(folder, 'alignment.json')
  const csv = join(folder, 'alignment.csv')
  const spectra = join(folder, 'eigenvalues.npy')
  await removeEarlier(folder, ['alignment.json', 'alignment.csv', 'eigenvalues.npy'])
  await writeFileAtomic(csv, csvTable(checkpoints, rest.top), { signal })
  const [first] = eigenvalues
  if (first) {
    const data = new Float64Array(first.length * eigenvalues.length)
    eigenvalues.forEach((values, t) => {
      data.set(values, t * first.length)
    })
    await writeNpy(spectra, { data, shape: [eigenvalues.length, first.length] }, { signal })
  }
  const report = { kind: 'adaptive-tangent/alignment', version: 1, learned: learnedName, ...rest }
  await writeFileAtomic(json, `${JSON.stringify({ ...report, checkpoints })}\n`, { signal })
  return { json, csv, ...(first ? { eigenvalues: spectra } : {}) }
}

/** A line for each checkpoint, the first and the last few of many. */
function tell(session: Session, checkpoints: readonly PlainCheckpoint[], folder: string): void {
  const number = (value: number | null | undefined) => (value == null ? '–' : value.toFixed(3))
  const head = ['checkpoint', 'ŷ', 'ŷ centred', 'labels', 'centred', 'distance', 'turned', 'rank']
  const rows = checkpoints.map(({ name, total: { learned, labels, initial, effectiveRank } }) => [
    plainText(name),
    ...[learned?.alignment, learned?.centred, labels?.alignment, labels?.centred].map(number),
    number(initial.distance),
    number(initial.rotation),
    effectiveRank === null ? '–' : effectiveRank.toFixed(1),
  ])
  const most = 24
  const shown =
    rows.length <= most
      ? rows
      : [...rows.slice(0, most / 2), head.map(() => '…'), ...rows.slice(-most / 2)]
  const widths = head.map((_, k) =>
    Math.max(...[head, ...shown].map((row) => (row[k] ?? '').length)),
  )
  for (const row of [head, ...shown]) {
    session.say(
      row
        .map((text, k) => (k === 0 ? text.padEnd(widths[k] ?? 0) : text.padStart(widths[k] ?? 0)))
        .join('  '),
    )
  }
  session.say('', `Wrote the results to ${folder}`)
}
