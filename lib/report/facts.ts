import type { ProbeLayer, ProbeNetwork, ProbeReport } from '../probe/types.js'
import { change, num, percent, unit, whole } from './format.js'
import { ends } from './series.js'

/** Below this, a change of alignment is called none. */
const noticeable = 0.02

const biggest = <T>(items: readonly T[], value: (item: T) => number): T | undefined =>
  items.reduce<T | undefined>(
    (best, item) => (best && value(best) >= value(item) ? best : item),
    undefined,
  )

function moved(from: number, to: number): string {
  if (Math.abs(to - from) < noticeable) return `stayed at ${unit(to)}`
  return `${to > from ? 'rose' : 'fell'} from ${unit(from)} to ${unit(to)}`
}

/** What the alignments say, in plain sentences. */
export function alignmentFacts(report: ProbeReport): string[] {
  const last = report.networks.at(-1)
  if (!last?.alignment) return []
  const both = ends(report)
  if (!both?.before.alignment) {
    const layer = biggest(last.layers, (l) => l.alignment?.centred ?? -1)
    return [
      `The kernel’s centred alignment with the labels is ${unit(last.alignment.centred)}; the cosine without centring is ${unit(last.alignment.cosine)}.`,
      ...(layer?.alignment && last.layers.length > 1
        ? [`Of all layers, ${layer.name} is aligned best: ${unit(layer.alignment.centred)}.`]
        : []),
    ]
  }
  const from = both.before.alignment.centred
  const to = last.alignment.centred
  const facts = [`The kernel’s centred alignment with the labels ${moved(from, to)}.`]
  const gains = both.before.layers.flatMap((early) => {
    const late = last.layers.find((layer) => layer.name === early.name)
    return early.alignment && late?.alignment
      ? [{ name: early.name, from: early.alignment.centred, to: late.alignment.centred }]
      : []
  })
  const most = biggest(gains, (gain) => Math.abs(gain.to - gain.from))
  if (most && gains.length > 1 && Math.abs(most.to - most.from) >= noticeable) {
    facts.push(`The layer that changed most is ${most.name}: it ${moved(most.from, most.to)}.`)
  }
  const risen = gains.filter((gain) => gain.to - gain.from >= noticeable).length
  const fallen = gains.filter((gain) => gain.from - gain.to >= noticeable).length
  if (gains.length > 1) {
    facts.push(
      risen === gains.length
        ? 'Every layer’s kernel came closer to the labels.'
        : `Of ${gains.length} layers, ${risen} came closer to the labels and ${fallen} moved away.`,
    )
  }
  facts.push(
    `Without centring the cosine ${moved(both.before.alignment.cosine, last.alignment.cosine)}: it also counts what all samples have in common.`,
  )
  return facts
}

export function layerFacts(report: ProbeReport): string[] {
  const facts = report.networks.map((network) => {
    const top = biggest(network.layers, (layer) => layer.share) as ProbeLayer
    return `In ${network.name}, ${top.name} holds the largest share of the trace: ${percent(top.share)}, with ${percent(top.count / network.parameterCount)} of the parameters.`
  })
  const both = ends(report)
  if (both) {
    facts.push(
      `The whole trace went from ${num(both.before.trace)} to ${num(both.after.trace)}: ${change(both.before.trace, both.after.trace)}.`,
    )
  }
  return facts
}

export function matrixName({ spectrum, outputs }: ProbeNetwork, samples: number): string {
  return spectrum.of === 'gram'
    ? `the full Gram matrix, ${whole(samples)} samples × ${outputs} output${outputs === 1 ? '' : 's'} = ${whole(spectrum.size)} rows`
    : `the trace kernel, ${whole(spectrum.size)} rows`
}

function leading({ spectrum: { eigenvalues } }: ProbeNetwork): { top: number; half: number } {
  const sum = eigenvalues.reduce((total, value) => total + Math.max(value, 0), 0)
  let half = 0
  for (let reached = 0; half < eigenvalues.length && reached < sum / 2; half++) {
    reached += eigenvalues[half] as number
  }
  return { top: sum > 0 ? (eigenvalues[0] as number) / sum : 0, half }
}

export function spectrumFacts(report: ProbeReport): string[] {
  const facts = report.networks.map((network) => {
    const { top, half } = leading(network)
    return `${network.name}: the largest eigenvalue is ${num(network.spectrum.eigenvalues[0] ?? 0)}, ${percent(top)} of the trace; the first ${whole(half)} of ${whole(network.spectrum.size)} hold half of it.`
  })
  const both = ends(report)
  if (both) {
    const from = both.before.spectrum.effectiveRank
    const to = both.after.spectrum.effectiveRank
    const same = Math.abs(to / from - 1) < 0.02
    facts.push(
      same
        ? `The effective rank stayed at about ${num(to)}.`
        : `The effective rank ${to > from ? 'rose' : 'fell'} from ${num(from)} to ${num(to)}: the trace is spread over ${to > from ? 'more' : 'fewer'} directions than before.`,
    )
  } else if (report.networks[0]) {
    facts.push(
      `The effective rank is ${num(report.networks[0].spectrum.effectiveRank)}: about that many directions carry the trace.`,
    )
  }
  return facts
}

/** How much more alike two samples of one class are than two of different classes. */
export function kernelFact(report: ProbeReport, network: ProbeNetwork): string | null {
  const means = report.groups.length > 1 && classMeans(report, network)
  return means
    ? `${network.name}: two samples of one class have a kernel of ${num(means.within, 2)} on average, two of different classes ${num(means.between, 2)} (in units of the mean diagonal).`
    : null
}

/** Means over pairs of different samples; null where the picture is too coarse to tell. */
export function classMeans(
  { groups, samples }: ProbeReport,
  { raster: { size, values }, trace }: ProbeNetwork,
): { within: number; between: number } | null {
  if (size !== samples) return null
  const group = groups.flatMap(({ count }, at) => new Array<number>(count).fill(at))
  let within = 0
  let between = 0
  let pairs = 0
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) {
      const value = values[i * size + j] as number
      if (group[i] === group[j]) {
        within += value
        pairs++
      } else between += value
    }
  }
  const others = (size * (size - 1)) / 2 - pairs
  const unitOf = trace / samples
  return pairs && others
    ? { within: within / pairs / unitOf, between: between / others / unitOf }
    : null
}

export function accuracyFacts(report: ProbeReport): string[] {
  const both = ends(report)
  const last = report.networks.at(-1)
  if (last?.accuracy == null) return []
  if (both?.before.accuracy == null)
    return [`It gives ${percent(last.accuracy)} of the samples their label.`]
  return [
    `The network gave ${percent(both.before.accuracy)} of these samples their label before, ${percent(last.accuracy)} after.`,
  ]
}
