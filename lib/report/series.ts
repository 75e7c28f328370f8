import type { ProbeNetwork, ProbeReport } from '../probe/types.js'
import { between, colorLimit, colorOf, dashOf } from './colors.js'

/** One network as the figures name and colour it. */
export interface Series {
  network: ProbeNetwork
  /** "before", "after", or its name. */
  role: string
  /** Unique: "before (mlp_init)". */
  label: string
  /** A CSS colour that follows the page's theme. */
  color: string
  /** Dashes of its lines, as SVG writes them. */
  dash: string
  /** Position from first (0) to last (1). */
  at: number
}

/** The first and the last network keep their colours, however many there are. */
function lookOf(i: number, count: number): { color: string; dash: string } {
  const last = i === count - 1
  if (last) return { color: colorOf(1), dash: 'none' }
  if (i === 0) return { color: colorOf(0), dash: count > 2 ? dashOf(1) : 'none' }
  return count <= colorLimit
    ? { color: colorOf(i + 1), dash: dashOf(i + 1) }
    : { color: between(i / (count - 1)), dash: dashOf(i) }
}

export function seriesOf({ networks }: ProbeReport): Series[] {
  return networks.map((network, i) => {
    const at = networks.length === 1 ? 1 : i / (networks.length - 1)
    const role = networks.length !== 2 ? network.name : i === 0 ? 'before' : 'after'
    const label = networks.length === 2 ? `${role} (${network.name})` : network.name
    return { network, role, label, ...lookOf(i, networks.length), at }
  })
}

/** All networks, or only the first and the last where there are more than can be drawn. */
export function drawnSeries(report: ProbeReport, most: number): Series[] {
  const all = seriesOf(report)
  return all.length <= most ? all : all.filter(({ at }) => at === 0 || at === 1)
}

/** Says so where not all networks are drawn. */
export function leftOut(report: ProbeReport, most: number): string | false {
  const { length } = report.networks
  return length > most && `Of ${length} networks, the first and the last are drawn.`
}

/** The first and the last network; null when there is only one. */
export function ends(report: ProbeReport): { before: ProbeNetwork; after: ProbeNetwork } | null {
  const before = report.networks[0]
  const after = report.networks.at(-1)
  return before && after && before !== after ? { before, after } : null
}
