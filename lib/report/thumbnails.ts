// Samples as thumbnails: all pictures of the page in one, and the places that show a part of it.
import type { ProbeReport } from '../probe/types.js'
import { html, Markup } from './html.js'
import { libraries } from './libraries.js'

const columns = 16

/** "sample 17 (Bag)". */
export function sampleName(report: ProbeReport, sample: number): string {
  const group = groupOf(report, sample)
  return `sample ${sample}${group === undefined ? '' : ` (${group})`}`
}

/** The class of a sample, by name. */
export function groupOf({ order, groups }: ProbeReport, sample: number): string | undefined {
  if (groups.length === 0) return undefined
  const at = order.indexOf(sample)
  return groups.find(({ start, count }) => at >= start && at < start + count)?.name
}

/**
 * Samples in a row, each with a note beneath: pictures where the report has them, else their first
 * numbers, else their numbers in the input alone.
 */
export function thumbnails(
  report: ProbeReport,
  samples: readonly { sample: number; note?: string }[],
): Markup {
  return html`<ul class="thumbs">${samples.map(({ sample, note }) => {
    const name = sampleName(report, sample)
    return html`<li>${thumbnail(report, sample)}<span class="thumb-name">${name}${note && html` <small>${note}</small>`}</span></li>`
  })}</ul>`
}

/** One sample's picture or first numbers; null where the report has neither. */
export function thumbnail(report: ProbeReport, sample: number): Markup | null {
  const { samples = [], picture, texts } = report.thumbnails ?? {}
  const at = samples.indexOf(sample)
  if (at < 0) return null
  if (!picture) return texts ? html`<code class="thumb-text">${texts[at]}</code>` : null
  return html`<span class="thumb" style="--x:${at % columns};--y:${Math.floor(at / columns)}" role="img" aria-label="${sampleName(report, sample)}"></span>`
}

/** The page's style for its thumbnails: one PNG that holds all of them. */
export function thumbnailStyle({ thumbnails: found }: ProbeReport): string {
  if (!found?.picture) return ''
  const { width, height, channels } = found.picture
  const pixels = Buffer.from(found.picture.data, 'base64')
  const rows = Math.ceil(found.samples.length / columns)
  const [across, down] = [columns * width, rows * height]
  const sheet = new Uint8Array(across * down * channels)
  const line = width * channels
  found.samples.forEach((_, i) => {
    for (let y = 0; y < height; y++) {
      const from = (i * height + y) * line
      const to = (Math.floor(i / columns) * height + y) * across + (i % columns) * width
      sheet.set(pixels.subarray(from, from + line), to * channels)
    }
  })
  const bytes = libraries.encode(
    { width: across, height: down, data: sheet, depth: 8, channels },
    { zlib: { level: 9 } },
  )
  const edge = 56 / Math.max(width, height)
  const [w, h] = [Math.round(edge * width), Math.round(edge * height)]
  return `
.thumb { width: ${w}px; height: ${h}px; background: url(data:image/png;base64,${Buffer.from(bytes).toString('base64')}) calc(var(--x) * -${w}px) calc(var(--y) * -${h}px) / ${columns * w}px ${rows * h}px; }`
}

/** What the page's script needs to name and show samples. */
export function sampleData(report: ProbeReport): Markup {
  const { order, groups, thumbnails: found } = report
  const data = {
    order,
    groups: groups.map(({ name, start, count }) => [name, start, count]),
    thumbs: found ? { samples: found.samples, texts: found.texts, columns } : null,
  }
  // "<" could end the element.
  const text = JSON.stringify(data).replaceAll('<', '\\u003c')
  return new Markup(`<script type="application/json" id="samples">${text}</script>`)
}
