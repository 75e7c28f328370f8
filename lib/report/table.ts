import type { ProbeAdaptive, ProbeNetwork, ProbeReport } from '../probe/types.js'
import { classCount, num, percent, shape, short, unit, whole } from './format.js'
import { ends } from './series.js'

type Cell = string | undefined

/** The report in a few lines for a terminal: the first network against the last. */
export function reportTable(report: ProbeReport): string[] {
  const both = ends(report)
  const shown = both ? [both.before, both.after] : report.networks
  const first = shown[0] as ProbeNetwork
  const aligned = shown.some(({ alignment }) => alignment !== null)
  const roles = both ? [' before', ' after'] : ['']
  const head = [
    'layer',
    'parameters',
    ...roles.map((role) => `share${role}`),
    ...(aligned ? roles.map((role) => `alignment${role}`) : []),
  ]
  const names = [...new Set(shown.flatMap(({ layers }) => layers.map(({ name }) => name)))]
  const rows = names.map((name): Cell[] => {
    const layers = shown.map((network) => network.layers.find((layer) => layer.name === name))
    return [
      short(name, 40),
      whole(layers.find(Boolean)?.count ?? 0),
      ...layers.map((layer) => layer && percent(layer.share)),
      ...(aligned ? layers.map((layer) => layer?.alignment && unit(layer.alignment.centred)) : []),
    ].map((cell) => cell ?? '–')
  })
  const total: Cell[] = [
    'whole kernel',
    whole(first.parameterCount),
    ...shown.map(() => '100 %'),
    ...(aligned ? shown.map(({ alignment }) => (alignment ? unit(alignment.centred) : '–')) : []),
  ]
  const change = (name: string, value: (network: ProbeNetwork) => string) =>
    `${name.padEnd(20)}${shown.map(value).join(' → ')}`
  return [
    intro(report),
    '',
    ...columns([head, ...rows, total]),
    '',
    change('trace', ({ trace }) => num(trace)),
    `${change('effective rank', ({ spectrum }) => num(spectrum.effectiveRank))} of ${whole(first.spectrum.size)} (${first.spectrum.of === 'gram' ? 'full Gram matrix' : 'trace kernel'})`,
    ...(aligned
      ? [change('cosine, uncentred', ({ alignment }) => (alignment ? unit(alignment.cosine) : '–'))]
      : []),
    ...(shown.every(({ adaptive }) => adaptive !== null)
      ? [
          change('held-out error', ({ adaptive }) => {
            const { fixed, adaptive: adapted } = adaptive as ProbeAdaptive
            return `${num(fixed.error)} fixed, ${num(adapted.error)} adaptive`
          }),
        ]
      : []),
    ...shown.flatMap(({ name, adaptiveMissing: why }) =>
      why ? [`Not fitted to the target (${name}): ${why}.`] : [],
    ),
    ...(shown.every(({ accuracy }) => accuracy !== null)
      ? [change('classified right', ({ accuracy }) => percent(accuracy as number))]
      : []),
  ]
}

function intro({ networks, samples, input, target }: ProbeReport): string {
  const names = networks.map(({ name }) => name)
  const list = names.length > 4 ? [...names.slice(0, 2), '…', ...names.slice(-1)] : names
  const sizes = input.map((one) => shape(one.shape)).join(', ')
  const classes = target?.kind === 'classes' ? ` in ${classCount(target.classes.length)}` : ''
  return `${list.join(', ')}: ${whole(samples)} samples (${sizes})${classes}`
}

/** The first column to the left, numbers to the right. */
function columns(rows: readonly Cell[][]): string[] {
  const widths = (rows[0] ?? []).map((_, k) =>
    Math.max(...rows.map((row) => [...(row[k] ?? '')].length)),
  )
  return rows.map((row) =>
    row
      .map((cell = '', k) => {
        const space = ' '.repeat((widths[k] as number) - [...cell].length)
        return k === 0 ? cell + space : space + cell
      })
      .join('  ')
      .trimEnd(),
  )
}
