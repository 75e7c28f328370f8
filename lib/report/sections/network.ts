import type { ProbeNetwork, ProbeReport } from '../../probe/types.js'
import { classCount, percent, shape, whole } from '../format.js'
import { html, type Markup } from '../html.js'
import type { Section } from '../section.js'

type Row = [name: string, value: (network: ProbeNetwork) => Markup | string]

const operators = ({ operators }: ProbeNetwork) =>
  html`<span class="tags">${operators.map(({ name, count }) => html`<span class="tag">${name} <small>× ${count}</small></span> `)}</span>`

const rows: Row[] = [
  [
    'Inputs',
    ({ inputs }) =>
      html`${inputs.map(({ name, type, shape: sizes }) => html`<div><code>${name}</code> ${type}, ${shape(sizes)}</div>`)}`,
  ],
  [
    'Output',
    ({ output, outputs }) =>
      html`<code>${output.name}</code> ${shape(output.shape)}: ${whole(outputs)} per sample`,
  ],
  [
    'Parameters',
    ({ parameterCount, frozenCount }) =>
      whole(parameterCount) + (frozenCount > 0 ? `, and ${whole(frozenCount)} frozen` : ''),
  ],
  ['Layers with parameters', ({ layers }) => whole(layers.length)],
  ['Operators', operators],
]

/** Everything that an architecture shows in this section, without names of files. */
function architecture({ inputs, output, parameterCount, operators, layers }: ProbeNetwork): string {
  return JSON.stringify([
    inputs,
    output,
    parameterCount,
    operators,
    layers.map((l) => [l.name, l.count]),
  ])
}

function layerTable({ layers, parameterCount }: ProbeNetwork): Markup {
  return html`<details><summary>Layers and their parameters</summary><div class="scroll"><table>
<thead><tr><th>Layer</th><th>Parameters</th><th class="n">Numbers</th><th class="n">Part of all</th></tr></thead>
<tbody>${layers.map(
    (layer) =>
      html`<tr><th scope="row"><code>${layer.name}</code></th><td>${layer.parameters.map(
        (name) => html`<code>${name}</code> `,
      )}</td><td class="n">${whole(layer.count)}</td><td class="n">${percent(layer.count / parameterCount)}</td></tr>`,
  )}</tbody></table></div></details>`
}

export const network: Section = {
  id: 'network',
  title: 'What was probed',
  render({ networks, samples, input, target }: ProbeReport) {
    const same = new Set(networks.map(architecture)).size === 1
    const shown = same ? networks.slice(0, 1) : networks
    const intro =
      networks.length === 1
        ? 'One network.'
        : same
          ? `${networks.length} networks of one architecture: only their weights differ.`
          : `${networks.length} networks of different architectures.`
    return html`<p>${intro} The kernels are those of ${whole(samples)} samples${input
      .filter(({ file }) => file)
      .map(({ file, shape: sizes }) => html` (<code>${file}</code>, ${shape(sizes)} each)`)}${
      target?.kind === 'classes' && html` in ${classCount(target.classes.length)}`
    }${target?.file && html`, labels from <code>${target.file}</code>`}.</p>
<div class="scroll"><table class="facts-table">
<thead><tr><td></td>${
      same && networks.length > 1
        ? html`<th scope="col">${networks.map(({ name }, i) => html`${i > 0 && ', '}<code>${name}</code>`)}</th>`
        : shown.map(({ name }) => html`<th scope="col"><code>${name}</code></th>`)
    }</tr></thead>
<tbody>${rows.map(
      ([name, value]) =>
        html`<tr><th scope="row">${name}</th>${shown.map((one) => html`<td>${value(one)}</td>`)}</tr>`,
    )}</tbody></table></div>
${shown.map(layerTable)}`
  },
}
