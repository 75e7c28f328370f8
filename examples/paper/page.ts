// Figures as files of their own, and the page that shows them.
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { html, htmlHead, Markup } from '../../lib/report/html.js'
import { style } from '../../lib/report/style.js'

const { document } = parseHTML('<!doctype html><html><body></body></html>')

export interface Panel {
  title: string
  options: Plot.PlotOptions
  width: number
  height: number
}

const gap = 24
const head = 26

/**
 * Panels in rows as one SVG with its own white ground, legible in any viewer.
 * @param title what the picture is, for those who cannot see it
 * @param notes lines under the panels
 */
export function picture(
  title: string,
  rows: readonly (readonly Panel[])[],
  notes: readonly string[] = [],
): string {
  let top = 8
  let wide = 0
  const parts: string[] = []
  for (const row of rows) {
    let left = 8
    for (const panel of row) {
      const svg = Plot.plot({
        ...panel.options,
        width: panel.width,
        height: panel.height,
        document,
        className: 'plot',
        style: { fontSize: '12px', overflow: 'visible', background: 'white', color: '#111827' },
      })
      for (const element of svg.querySelectorAll('style')) element.remove()
      svg.setAttribute('x', String(left))
      svg.setAttribute('y', String(top + head))
      // A hundredth of a pixel is more than enough, and makes the file a third smaller.
      const short = svg.outerHTML.replace(/(\d\.\d\d)\d+(?=[",\sA-Za-z)])/g, '$1')
      parts.push(
        html`<text x="${left + 6}" y="${top + 17}" font-size="13" font-weight="600">${panel.title}</text>`
          .text,
        short,
      )
      left += panel.width + gap
    }
    wide = Math.max(wide, left - gap + 8)
    top += head + Math.max(...row.map(({ height }) => height)) + 8
  }
  const lines = notes.flatMap((note) => wrapped(note, Math.floor((wide - 24) / 6.5)))
  lines.forEach((line, k) => {
    parts.push(
      html`<text x="14" y="${top + 14 + 16 * k}" font-size="12" fill="#4b5563">${line}</text>`.text,
    )
  })
  const high = top + (lines.length > 0 ? 16 * lines.length + 12 : 0)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${high}" viewBox="0 0 ${wide} ${high}" role="img" font-family="system-ui, sans-serif" fill="#111827">
<title>${html`${title}`.text}</title>
<rect width="${wide}" height="${high}" fill="white"/>
${parts.join('\n')}
</svg>
`
}

function wrapped(text: string, limit: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) as string
    if (line !== '' && line.length + 1 + word.length > limit) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines
}

const layout = `
figure > svg { width: 100%; height: auto; border-radius: 8px; }
figure + figure { margin-top: 30px; }
figcaption.long { font-weight: 400; margin-top: 8px; max-width: 78ch; }
`

/** A self-contained page. */
export function page(
  title: string,
  intro: string,
  figures: readonly { svg: string; caption: string }[],
  table: { head: readonly string[]; rows: readonly (readonly string[])[] },
  command: string,
): string {
  return html`${htmlHead(title, style + layout)}
<body>
<header>
<p class="kicker">Adaptive tangent · the paper’s figures</p>
<h1>${title}</h1>
<p class="sub">${intro}</p>
</header>
<main>
<section>${figures.map(
    ({ svg, caption }) =>
      html`<figure>${new Markup(svg)}<figcaption class="long">${caption}</figcaption></figure>`,
  )}</section>
<section><h2>Numbers</h2>
<div class="scroll"><table><thead><tr>${table.head.map((cell) => html`<th>${cell}</th>`)}</tr></thead>
<tbody>${table.rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>
<p class="note">Made by <code>${command}</code></p></section>
</main>
</body>
</html>
`.text
}
