import type { ProbeEstimate } from '../probe/left-out.js'
import type { ProbeLayer, ProbeNetwork, ProbeReport } from '../probe/types.js'
import { changeOf, num, percent, plusMinus, unit, whole } from './format.js'
import { ends } from './series.js'

/** Below this, a change of alignment without a standard error is called none. */
const noticeable = 0.02

const biggest = <T>(items: readonly T[], value: (item: T) => number): T | undefined =>
  items.reduce<T | undefined>(
    (best, item) => (best && value(best) >= value(item) ? best : item),
    undefined,
  )

/** Is a change more than noise: above two standard errors, or a fixed size where none is known? */
export function clear(from: number, to: number, { change }: Partial<ProbeEstimate> = {}): boolean {
  return change?.standardError == null
    ? Math.abs(to - from) >= noticeable
    : Math.abs(change.value) > 2 * change.standardError
}

function moved(from: number, to: number, estimate: ProbeEstimate | undefined): string {
  const { change } = estimate ?? {}
  const size = change && plusMinus(change.value, change.standardError)
  if (clear(from, to, estimate)) {
    const by = change ? ` (by ${plusMinus(Math.abs(change.value), change.standardError)})` : ''
    return `${to > from ? 'rose' : 'fell'} from ${unit(from)} to ${unit(to)}${by}`
  }
  return change?.standardError == null
    ? `stayed at ${unit(to)}`
    : `went from ${unit(from)} to ${unit(to)}, which is noise (${size})`
}

/** Layers of the last network that the first has, too, with both alignments. */
export function layerChanges(report: ProbeReport) {
  const both = ends(report)
  return (both?.before.layers ?? []).flatMap((early) => {
    const late = both?.after.layers.find((layer) => layer.name === early.name)
    if (!early.alignment || !late?.alignment) return []
    const [from, to] = [early.alignment.centred, late.alignment.centred]
    return [{ name: early.name, from, to, estimate: late.estimates?.centred }]
  })
}

/** What the alignments say, in plain sentences. */
export function alignmentFacts(report: ProbeReport): string[] {
  const last = report.networks.at(-1)
  if (!last?.alignment) return []
  const both = ends(report)
  const { centred, cosine } = last.estimates ?? {}
  if (!both?.before.alignment) {
    const layer = biggest(last.layers, (l) => l.alignment?.centred ?? -1)
    return [
      `The kernel’s centred alignment with the labels is ${plusMinus(last.alignment.centred, centred?.standardError)}; the cosine without centring is ${plusMinus(last.alignment.cosine, cosine?.standardError)}.`,
      ...(layer?.alignment && last.layers.length > 1
        ? [`Of all layers, ${layer.name} is aligned best: ${unit(layer.alignment.centred)}.`]
        : []),
    ]
  }
  const { before } = both
  const facts = [
    `The kernel’s centred alignment with the labels ${moved(before.alignment?.centred ?? 0, last.alignment.centred, centred)}.`,
  ]
  const changes = layerChanges(report)
  const sure = changes.filter(({ from, to, estimate }) => clear(from, to, estimate))
  const most = biggest(sure, ({ from, to }) => Math.abs(to - from))
  if (most && changes.length > 1) {
    facts.push(
      `The layer that changed most is ${most.name}: it ${moved(most.from, most.to, most.estimate)}.`,
    )
  }
  if (changes.length > 1) {
    const risen = sure.filter(({ from, to }) => to > from).length
    const same = changes.length - sure.length
    facts.push(
      risen === changes.length
        ? 'Every layer’s kernel came closer to the labels.'
        : `Of ${changes.length} layers, ${risen} came closer to the labels and ${sure.length - risen} moved away${same > 0 ? `; the change of ${same === changes.length ? 'all' : same} is noise` : ''}.`,
    )
  }
  facts.push(
    `Without centring the cosine ${moved(before.alignment?.cosine ?? 0, last.alignment.cosine, cosine)}: it also counts what all samples have in common.`,
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
    const error = both.after.estimates?.traceRatio?.standardError
    facts.push(
      `The whole trace went from ${num(both.before.trace)} to ${num(both.after.trace)}: ${changeOf(both.before.trace, both.after.trace, error)}.`,
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
    facts.push(rankFact(both.before, both.after))
  } else if (report.networks[0]) {
    const { spectrum, estimates } = report.networks[0]
    facts.push(
      `The effective rank is ${plusMinus(spectrum.effectiveRank, estimates?.effectiveRank?.standardError)}: about that many directions carry the trace.`,
    )
  }
  return facts
}

function rankFact(before: ProbeNetwork, after: ProbeNetwork): string {
  const [from, to] = [before.spectrum.effectiveRank, after.spectrum.effectiveRank]
  const change = after.estimates?.effectiveRank?.change
  const error = change?.standardError
  const noise = error == null ? Math.abs(to / from - 1) < 0.02 : Math.abs(to - from) <= 2 * error
  const size = error == null ? '' : ` (by ${plusMinus(Math.abs(to - from), error)})`
  if (noise) {
    return error == null
      ? `The effective rank stayed at about ${num(to)}.`
      : `The effective rank went from ${num(from)} to ${num(to)}, which is noise (${plusMinus(to - from, error)}).`
  }
  return `The effective rank ${to > from ? 'rose' : 'fell'} from ${num(from)} to ${num(to)}${size}: the trace is spread over ${to > from ? 'more' : 'fewer'} directions than before.`
}

/** How much more alike two samples of one class are than two of different classes. */
export function kernelFact(network: ProbeNetwork): string | null {
  const { pairs, estimates } = network
  if (!pairs) return null
  const { within, between } = pairs
  const error = estimates?.gap?.standardError
  const noise = error != null && Math.abs(within - between) <= 2 * error
  return `${network.name}: two samples of one class have a kernel of ${num(within, 2)} on average, two of different classes ${num(between, 2)} (in units of the mean diagonal); the difference is ${plusMinus(within - between, error)}${noise ? ', which is noise' : ''}.`
}

export function accuracyFacts(report: ProbeReport): string[] {
  const both = ends(report)
  const last = report.networks.at(-1)
  if (last?.accuracy == null) return []
  const { standardError, change } = last.estimates?.accuracy ?? {}
  if (both?.before.accuracy == null) {
    const error = standardError == null ? '' : ` ± ${num(100 * standardError, 2)}`
    return [`It gives ${percent(last.accuracy)}${error} of the samples their label.`]
  }
  const points = change?.standardError == null ? null : 100 * change.standardError
  const gap = 100 * (last.accuracy - both.before.accuracy)
  const size =
    points === null
      ? ''
      : Math.abs(gap) > 2 * points
        ? `: ${plusMinus(Math.abs(gap), points)} percentage points ${gap > 0 ? 'more' : 'less'}`
        : `: the difference, ${plusMinus(gap, points)} percentage points, is noise`
  return [
    `The network gave ${percent(both.before.accuracy)} of these samples their label before, ${percent(last.accuracy)} after${size}.`,
  ]
}

/** What every ± of the page means; null where nothing has one. */
export function errorFact({ networks }: ProbeReport): string | null {
  return networks.some(({ estimates }) => estimates?.centred ?? estimates?.trace)
    ? '± is one standard error over samples, each left out once (the jackknife): how much another draw of samples would move a number, at these weights. Differences are those of the same samples; below two standard errors they are called noise. What another training would change, it does not say.'
    : null
}
