import type { ProbePair } from '../../probe/classes.js'
import type { ProbeReport } from '../../probe/types.js'
import { num, whole } from '../format.js'
import { colorBar, heatmap } from '../heatmap.js'
import { html, type Markup } from '../html.js'
import { commonScale } from '../raster.js'
import type { Section } from '../section.js'
import { drawnSeries, leftOut } from '../series.js'
import { thumbnails } from '../thumbnails.js'

const networkLimit = 4
/** Samples of a class that are shown next to it. */
const shown = 3
/** More pairs of classes are in the JSON. */
const pairLimit = 4

/** The first samples of a class that the page has pictures of. */
function samplesOf({ groups, order, thumbnails: found }: ProbeReport, at: number): number[] {
  const group = groups[at]
  if (!group) return []
  const own = order.slice(group.start, group.start + group.count)
  const known = new Set(found?.samples ?? [])
  return own.filter((sample) => known.has(sample)).slice(0, shown)
}

const name = (report: ProbeReport, at: number) => report.groups[at]?.name ?? ''

function pair(report: ProbeReport, { classes: [a, b], value }: ProbePair): Markup {
  const both = a === b ? [a] : [a, b]
  return html`<li><strong>${both.map((at, k) => html`${k > 0 && ' – '}${name(report, at)}`)}</strong> ${num(value, 2)}
${thumbnails(
  report,
  both.flatMap((at) => samplesOf(report, at)).map((sample) => ({ sample })),
)}</li>`
}

function pairs(report: ProbeReport): Markup | null {
  const last = report.networks.at(-1)
  if (!last?.classes) return null
  const { alike, loose } = last.classes
  return html`<div class="split"><div><h3>Different classes that move each other most</h3>
<p>In ${last.name}, with some of their samples: the network’s features hold these apart least.</p>
<ul class="pairs">${alike.slice(0, pairLimit).map((one) => pair(report, one))}</ul></div>
<div><h3>Classes whose own samples move each other least</h3>
<p>In ${last.name}: what a step on one sample teaches, it teaches the others least.</p>
<ul class="pairs">${loose.slice(0, pairLimit).map((one) => pair(report, one))}</ul></div></div>`
}

function table(report: ProbeReport): Markup {
  const series = drawnSeries(report, networkLimit)
  const rows = report.groups.length <= 12 ? report.groups : []
  return html`<details><summary>Numbers by class</summary>${series.map(({ network, label }) => {
    const { raster } = network.classes ?? {}
    return (
      raster &&
      rows.length > 0 &&
      html`<div class="scroll"><table><caption>${label}</caption><thead><tr><td></td>${rows.map(
        (group) => html`<th class="n" scope="col">${group.name}</th>`,
      )}</tr></thead><tbody>${rows.map(
        (group, i) =>
          html`<tr><th scope="row">${group.name}</th>${rows.map((_, j) => html`<td class="n">${num(raster.values[i * raster.size + j] ?? 0, 2)}</td>`)}</tr>`,
      )}</tbody></table></div>`
    )
  })}${
    rows.length === 0 &&
    html`<p>${whole(report.groups.length)} classes are too many for a table here: the NPY files and report.json have them${
      report.networks[0]?.classes &&
      report.networks[0].classes.raster.size < report.groups.length &&
      ', averaged over neighbouring classes'
    }.</p>`
  }</details>`
}

export const classes: Section = {
  id: 'classes',
  title: 'Class by class',
  render(report) {
    const series = drawnSeries(report, networkLimit).filter(({ network }) => network.classes)
    const rasters = series.flatMap(({ network }) => network.classes?.raster ?? [])
    if (rasters.length === 0 || report.groups.length < 2) return null
    const scale = commonScale(rasters)
    const { groups } = report
    const places = groups.map((group, start) => ({ name: group.name, start, count: 1 }))
    const size = rasters[0]?.size ?? groups.length
    return html`<p>The mean of the kernel over the pairs of two classes, in units of its mean diagonal; a sample’s pair with itself is left out. A bright cell off the diagonal is a pair of classes that the network’s features do not hold apart.${
      size < groups.length &&
      ` Cells are means over ${num(groups.length / size, 2)} × ${num(groups.length / size, 2)} neighbouring classes.`
    }${groups.some(({ count }) => count === 1) && ' A class of one sample has no pair of its own and is drawn as 0 on the diagonal.'} ${leftOut(report, networkLimit)}</p>
<div class="pictures">${series.map(
      ({ network, label }, i) =>
        network.classes &&
        html`<figure><figcaption>${label}</figcaption>${heatmap(network.classes.raster, {
          ...{ id: `classes-${i}`, title: `Mean kernel by classes, ${label}`, scale },
          description: `${whole(groups.length)} classes in rows and columns.`,
          ...{ groups: places, samples: groups.length, of: 'classes' },
          unit: 'mean kernel ÷ its mean diagonal',
        })}</figure>`,
    )}</div>
${colorBar('classes-colors', 'mean kernel ÷ its mean diagonal', scale)}
${pairs(report)}
${table(report)}`
  },
}
