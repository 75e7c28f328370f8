import { Option } from 'commander'
import type { BatchAxis } from '../model/axes.js'
import { cores } from '../model/core.js'
import { hostNodes } from '../model/devices.js'
import type { GraphValue } from '../model/values.js'
import type { Network } from '../network/network.js'
import { type Precision, precisionOf } from '../network/precision.js'
import type { Dimension, ValueInfo } from '../onnx/index.js'
import { derivativeOptions, type NetworkOptions, withNetwork } from './command.js'
import { type CommandDefinition, collect, plainText } from './define.js'
import { readInputs } from './samples.js'

interface Options extends NetworkOptions {
  values?: boolean
  input?: string[]
}

export const infoCommand: CommandDefinition = {
  examples: ['info model.onnx', 'info model.onnx --json', 'info model.onnx --values'],
  options: [
    new Option('--values', 'list all values that --output may name'),
    new Option(
      '--input <file>',
      'two or three samples: tells how far float32 is off, by the same in float64',
    ).argParser(collect),
    ...derivativeOptions().filter(({ long }) => long !== '--outputs'),
  ],
  devices: true,
  async run(session, [model = ''], options: Options) {
    await withNetwork(model, options, { unsupported: 'defer' }, async (network) => {
      const obstacle = (await cores.get(network)?.obstacle()) ?? null
      const axes = network.problem === null && obstacle === null ? await axesOf(network) : []
      const description = describe(model, network, obstacle, axes)
      const values = options.values ? await network.values() : undefined
      const x = options.input && (await readInputs(options.input, network, options))
      const precision = x && description.supported ? await precisionOf(network, x) : undefined
      const device = options.device && deviceOf(network)
      session.result({
        ...description,
        ...(values && { values }),
        ...(precision && { precision }),
        ...(device && { device }),
      })
      session.say(...inWords(description), ...(values ? valuesInWords(values) : []))
      if (precision) session.say(precisionInWords(precision))
      if (device) session.say(...deviceInWords(device).map(plainText))
      if (!description.supported) session.fail()
    })
  },
}

/** Where derivatives would be computed, and which nodes the processor would serve all the same. */
function deviceOf(network: Network) {
  const core = cores.get(network)
  const none = { nodes: 0, onHost: [] }
  return { ...network.device, ...(core ? hostNodes(core.architecture) : none) }
}

function deviceInWords(device: ReturnType<typeof deviceOf>): string[] {
  const { name, why, nodes, onHost } = device
  const first = `Device ${name}: ${why}`
  if (name === 'cpu') return [first]
  const served = table(onHost.map(({ node, operator }) => [node, operator]))
  const there = `  ${nodes - onHost.length} of ${nodes} nodes with a derivative have code for it`
  if (onHost.length === 0) return [first, there]
  return [first, `${there}; the processor serves`, ...served]
}

function precisionInWords({ output, kernel, sufficient }: Precision): string {
  const off = `${output.toExponential(1)} in outputs and ${kernel.toExponential(1)} in the kernel`
  return `Float32 is off by ${off}${sufficient ? '' : ': use --float64'}`
}

function valuesInWords(values: readonly GraphValue[]): string[] {
  const rows = values.map(({ name, type, shape, operator, output, differentiable }) => [
    name,
    type ?? '?',
    inBrackets(shape),
    operator,
    [output ? 'output' : '', differentiable ? '' : 'no derivative']
      .filter((note) => note !== '')
      .join('; '),
  ])
  return [`Values (${rows.length}), which --output takes`, ...table(rows)].map(plainText)
}

const inBrackets = (sizes: readonly Dimension[] | null) =>
  sizes ? `(${sizes.map((size) => size ?? '?').join(', ')})` : '(?)'

interface Place {
  of: 'input' | 'output'
  batchAxis: number | null
  shared: boolean
  by: BatchAxis['by'] | null
  block: number | null
}

interface LayerInfo {
  name: string
  parameters: string[]
  count: number
}

/** What cannot be found by trying is told by the first call. */
async function axesOf(network: Network): Promise<readonly BatchAxis[]> {
  return network.batchAxes().catch(() => [])
}

function describe(
  model: string,
  network: Network,
  obstacle: string | null,
  axes: readonly BatchAxis[],
) {
  const layers = new Map<string, LayerInfo>()
  for (const { name, layer, count } of network.parameters) {
    const entry = layers.get(layer) ?? { name: layer, parameters: [], count: 0 }
    entry.parameters.push(name)
    entry.count += count
    layers.set(layer, entry)
  }
  const value = (of: 'input' | 'output') => {
    return ({ name, type, typeName, shape: sizes, freed }: ValueInfo) => {
      const known = axes.find((one) => one.kind === of && one.name === name)
      const { axis = null, shared = false, by = null, block = null } = known ?? {}
      const isOne = axis === null && known !== undefined && freed !== undefined
      const shape = isOne && sizes ? sizes.with(freed.axis, freed.size) : sizes
      return { name, of, type: type ?? typeName, shape, batchAxis: axis, shared, by, block }
    }
  }
  return {
    model,
    inputs: network.inputs.map(value('input')),
    outputs: network.outputs.map(value('output')),
    output: network.output,
    parameters: network.parameters.map(
      ({ name, label, layer, shape, count, dtype, frozen, source, uses }) => ({
        name,
        label,
        layer,
        shape,
        count,
        type: dtype,
        frozen,
        uses,
        copyOf: source === name ? null : source,
      }),
    ),
    count: network.parameters.reduce((sum, { count }) => sum + count, 0),
    layers: [...layers.values()],
    constants: [...network.constants].map(([name, why]) => ({ name, why })),
    notes: network.notes,
    operators: Object.fromEntries([...network.operators].sort(([a], [b]) => (a < b ? -1 : 1))),
    supported: network.problem === null && obstacle === null,
    problem: network.problem ?? obstacle,
    unsupported: network.refusals,
  }
}

function inWords(info: ReturnType<typeof describe>): string[] {
  const shape = inBrackets
  const values = (list: typeof info.inputs) =>
    list.map((one) => `  ${one.name}  ${one.type} ${shape(one.shape)}${placeInWords(one)}`)
  const lines = ['Inputs', ...values(info.inputs), 'Outputs', ...values(info.outputs)]
  lines.push(`Parameters (${info.parameters.length}, ${info.count.toLocaleString('en')} numbers)`)
  lines.push(
    ...table(
      info.parameters.map((entry) => [
        entry.name,
        entry.layer,
        shape(entry.shape),
        entry.count.toLocaleString('en'),
        [
          entry.label === entry.name ? '' : `is ${entry.label}`,
          entry.copyOf === null ? '' : `a copy of ${entry.copyOf}, differentiated by itself`,
          entry.uses > 1 ? `one weight in ${entry.uses} places` : '',
          entry.frozen ? 'frozen' : '',
        ]
          .filter((note) => note !== '')
          .join('; '),
      ]),
    ),
  )
  if (info.constants.length > 0) {
    lines.push('Stored floats taken for constants (--constants NAME makes one a parameter)')
    lines.push(...grouped(info.constants))
  }
  const operators = Object.entries(info.operators)
  lines.push('Operators', `  ${operators.map(([name, count]) => `${name} × ${count}`).join(', ')}`)
  if (info.notes.length > 0) lines.push('Notes', ...info.notes.map((note) => `  ${note}`))
  if (info.unsupported.length > 0) {
    lines.push(`Not supported (${info.unsupported.length} nodes)`)
    lines.push(
      ...info.unsupported.map(
        ({ node, operator, why, remedy }) =>
          `  ${node} (${operator}): ${why}${remedy && `; ${remedy}`}`,
      ),
    )
  } else if (info.problem !== null) lines.push('Not supported', `  ${info.problem}`)
  else lines.push('All operators on the way to the output are supported')
  return lines.map(plainText)
}

/** Where a value holds its samples; nothing where that is as it mostly is, or not known. */
function placeInWords({ of, batchAxis, shared, by, block }: Place): string {
  if (block !== null)
    return `  samples along axis ${batchAxis}, ${block} at once: the file takes no other number`
  if (by === null || (batchAxis === 0 && by !== 'trying' && by !== 'guess')) return ''
  const how = { trying: ', found by trying', guess: ', a guess until it runs' }[by as string] ?? ''
  if (shared) return `  the same for all samples${how}`
  if (batchAxis !== null) return `  samples along axis ${batchAxis}${how}`
  return of === 'output' ? '' : `  one sample, without an axis for more${how}`
}

/** Names by their reason, not more than fit a few lines; `--json` has them all. */
function grouped(constants: readonly { name: string; why: string }[]): string[] {
  const shown = 8
  const groups = new Map<string, string[]>()
  for (const { name, why } of constants) groups.set(why, [...(groups.get(why) ?? []), name])
  return [...groups].map(([why, names]) => {
    const rest = names.length > shown ? ` and ${names.length - shown} more (--json lists all)` : ''
    return `  ${why}: ${names.slice(0, shown).join(', ')}${rest}`
  })
}

/** Columns of equal width. */
function table(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, k) => Math.max(...rows.map((row) => row[k]?.length ?? 0)))
  return rows.map((row) =>
    `  ${row.map((cell, k) => cell.padEnd(widths[k] ?? 0)).join('  ')}`.trimEnd(),
  )
}
