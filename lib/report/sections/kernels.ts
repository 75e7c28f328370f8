import type { ProbeRaster } from '../../probe/raster.js'
import type { ProbeLayer, ProbeNetwork, ProbeReport } from '../../probe/types.js'
import { kernelFact } from '../facts.js'
import { num, shortNames } from '../format.js'
import { colorBar, heatmap } from '../heatmap.js'
import { html, type Markup } from '../html.js'
import {
  type ColorScale,
  centred,
  coarser,
  commonScale,
  diverging,
  quantile,
  scaled,
} from '../raster.js'
import type { Section } from '../section.js'
import { drawnSeries, leftOut, type Series } from '../series.js'

/** Networks whose kernels are drawn, and those whose layers' kernels are. */
const largeLimit = 6
const smallLimit = 2
/** Cells on a side of the centred pictures, which are small. */
const centredLimit = 128
/** Cells of all layers' pictures of a network: their numbers are in the page. */
const cellBudget = 8 * 128 ** 2
/** Layers whose kernels are drawn for each network. */
const layerLimit = 24

const relative = (raster: ProbeRaster, trace: number, samples: number) =>
  scaled(raster, trace / samples || 1)

function rawPictures(report: ProbeReport, series: Series[], scale: ColorScale): Markup {
  const { groups, samples } = report
  return html`<div class="pictures">${series.map(
    ({ network, label }, i) =>
      html`<figure><figcaption>${label}</figcaption>${heatmap(
        relative(network.raster, network.trace, samples),
        {
          id: `kernel-${i}`,
          title: `Trace kernel, ${label}`,
          description: kernelFact(network) ?? `The trace kernel of ${samples} samples.`,
          scale,
          groups,
          samples,
        },
      )}</figure>`,
  )}</div>`
}

/** Evenly over depth, the first and the last among them. */
function chosenLayers({ layers }: ProbeNetwork): ProbeLayer[] {
  if (layers.length <= layerLimit) return layers
  const step = (layers.length - 1) / (layerLimit - 1)
  return Array.from({ length: layerLimit }, (_, at) => layers[Math.round(at * step)] as ProbeLayer)
}

function layerPictures(report: ProbeReport, scale: ColorScale): Markup | null {
  const { groups, samples } = report
  const drawn = drawnSeries(report, smallLimit)
  const most = Math.max(...drawn.map(({ network }) => network.layers.length))
  if (most < 2) return null
  const names = shortNames(
    drawn.flatMap(({ network }) => network.layers.map(({ name }) => name)),
    16,
  )
  const cells = Math.floor(Math.sqrt(cellBudget / Math.min(most, layerLimit)))
  return html`<h3>Layer by layer</h3>
<p>The same picture for each layer’s part of the kernel, from the input (left) to the output (right), each divided by its own mean diagonal.${
    most > layerLimit && ` Of ${most} layers, ${layerLimit} are drawn, evenly over depth.`
  } ${leftOut(report, smallLimit)}</p>
${drawn.map(
  ({ network, label }, i) =>
    html`<div class="strip"><div class="strip-name">${label}</div><div class="small-pictures">${chosenLayers(
      network,
    ).map(
      (layer, at) =>
        html`<figure><figcaption title="${layer.name}">${names.get(layer.name)}</figcaption>${heatmap(
          relative(coarser(layer.raster, cells), layer.trace, samples),
          {
            id: `kernel-${i}-layer-${at}`,
            title: `Trace kernel of ${layer.name}, ${label}`,
            description: 'Small picture on the same colours as the large ones.',
            scale,
            groups,
            samples,
            side: 132,
          },
        )}</figure>`,
    )}</div></div>`,
)}`
}

function centredPictures(report: ProbeReport, series: Series[]): Markup | null {
  const { groups, samples, targetRaster } = report
  if (!targetRaster) return null
  const pictures = [
    ...series.map(({ network, label }, i) => ({
      label,
      raster: coarser(centred(network.raster), centredLimit),
      id: `centred-${i}`,
    })),
    {
      label: 'the labels, YYᵀ',
      raster: coarser(centred(targetRaster), centredLimit),
      id: 'centred-target',
    },
  ]
  const high = quantile(
    pictures.flatMap(({ raster }) => raster.values.map(Math.abs)),
    0.98,
  )
  const scale = diverging(Math.max(1, high))
  return html`<h3>Centred, with the labels</h3>
<p>The same kernels with their row and column means taken off and divided by their norm. The centred alignment is the mean product of a kernel’s picture with the labels’: equal pictures give 1. Red pairs are more alike than average, blue ones less.</p>
<div class="pictures three">${pictures.map(
    ({ label, raster, id }) =>
      html`<figure><figcaption>${label}</figcaption>${heatmap(raster, {
        id,
        title: `Centred kernel, ${label}`,
        description: 'Rows and columns have mean 0.',
        scale,
        groups,
        samples,
        side: 240,
      })}</figure>`,
  )}</div>
${colorBar('centred-colors', 'centred kernel, in units of its root mean square', scale)}`
}

function meaning(network: ProbeNetwork | undefined): string {
  return network && network.outputs === 1 ? 'the kernel' : 'the trace kernel, the sum over outputs'
}

export const kernels: Section = {
  id: 'kernels',
  title: 'The kernels themselves',
  render(report) {
    const { groups, samples, networks } = report
    const series = drawnSeries(report, largeLimit)
    const scale = commonScale(networks.map(({ raster, trace }) => relative(raster, trace, samples)))
    const size = networks[0]?.raster.size ?? samples
    return html`<p>Each cell is ${meaning(networks[0])}, for a pair of samples: how far a gradient step on one moves the other.${
      groups.length > 0 &&
      ' Samples are ordered by class, so a block on the diagonal is a class whose samples move each other.'
    }${size < samples && html` Cells are averages over ${num(samples / size, 2)} × ${num(samples / size, 2)} neighbouring samples.`}</p>
${rawPictures(report, series, scale)}
${colorBar('kernel-colors', 'kernel ÷ its mean diagonal', scale)}
<p class="note">Colours: every kernel is divided by its own mean diagonal (trace ÷ N), because training changes the overall size; then all pictures share one scale${
      scale.domain[0] < 0 ? ', symmetric about 0' : ', from 0'
    }, cut at the 99th percentile of all values (or at 1). ${leftOut(report, largeLimit)}</p>
<ul class="facts">${series.map(({ network }) => kernelFact(network)).map((fact) => fact && html`<li>${fact}</li>`)}</ul>
${layerPictures(report, scale)}
${centredPictures(report, series)}`
  },
}
