/**
 * The page's only script: values of figures on hover and by the arrow keys. It reads what the page
 * holds anyway, the links that save a figure's numbers, and adds nothing that a reader without it
 * would miss.
 */
export const script = String.raw`(() => {
'use strict'
const byId = (id) => document.getElementById(id)
const info = JSON.parse(byId('samples')?.textContent ?? '{}')
const tip = document.createElement('div')
tip.className = 'tip'
tip.setAttribute('role', 'status')
document.body.append(tip)
const svgElement = (name, parent, values) => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const key in values) made.setAttribute(key, values[key])
  parent.append(made)
  return made
}
const element = (name, text, parent, kind) => {
  const made = document.createElement(name)
  if (text !== undefined) made.textContent = text
  if (kind) made.className = kind
  parent?.append(made)
  return made
}
const raised = (n) => String(n).replace(/[-\d]/g, (c) => c === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[c])
const show = (value) => {
  if (value === '') return '–'
  const number = Number(value)
  if (!Number.isFinite(number)) return String(value)
  if (Number.isInteger(number) && Math.abs(number) < 1e6) return number.toLocaleString('en').replace('-', '−')
  const size = Math.abs(number)
  if (size > 0 && (size >= 1e6 || size < 1e-3)) {
    const [m, e] = number.toExponential(2).split('e')
    return m.replace('-', '−') + ' × 10' + raised(Number(e))
  }
  return number.toLocaleString('en', { maximumSignificantDigits: 4 }).replace('-', '−')
}
const rowsOf = (text) => {
  const rows = [[]]
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\n"]*))(,|\n|$)/g)) {
    if (quoted === undefined && plain === '' && end === '') break
    rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (end === '\n') rows.push([])
  }
  return rows.filter((row) => row.length > 0)
}
const hrefOf = (id) => byId(id + '-data').getAttribute('href')
const after = (text) => text.slice(text.indexOf(',') + 1)
const swatch = (parent, color) => {
  if (color) element('i', undefined, parent).style.background = color
}
const line = (name, value, color) => {
  const row = element('p', undefined, tip)
  swatch(row, color)
  element('span', name + ' ', row)
  element('b', value + ' ', row)
}
const place = (x, y) => {
  tip.style.display = 'block'
  const { width, height } = tip.getBoundingClientRect()
  const left = x + 16 + width > innerWidth ? x - 16 - width : x + 16
  tip.style.left = Math.max(4, Math.min(left, innerWidth - width - 4)) + 'px'
  tip.style.top = Math.max(4, Math.min(y + 16, innerHeight - height - 4)) + 'px'
}
let leave = () => {}
// Puts the box at its figure's place again, where keys chose it.
let again = null
const hide = () => {
  tip.style.display = 'none'
  leave()
  leave = () => {}
  again = null
}
const onPage = (svg, x, y) => {
  const { a, d, e, f } = svg.getScreenCTM()
  return [a * x + e, d * y + f]
}
const inFigure = (svg, event) => {
  const { a, d, e, f } = svg.getScreenCTM()
  return [(event.clientX - e) / a, (event.clientY - f) / d]
}
// Pointer, touch and keys for one figure: "near" finds what lies at a place, "move" what a key leads to.
const listen = (svg, { near, move, showAt }) => {
  let at = null
  const go = (next, x, y) => {
    if (next === null) return hide()
    at = next
    leave()
    tip.replaceChildren()
    const [px, py] = showAt(at)
    again = x === undefined ? () => place(...onPage(svg, px, py)) : null
    if (again) again()
    else place(x, y)
  }
  svg.tabIndex = 0
  const point = (event) => go(near(...inFigure(svg, event)), event.clientX, event.clientY)
  svg.addEventListener('pointermove', point)
  svg.addEventListener('pointerdown', point)
  svg.addEventListener('pointerleave', hide)
  svg.addEventListener('blur', hide)
  svg.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') return hide()
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const next = move(event.key, at, event.shiftKey)
    if (next === undefined) return
    event.preventDefault()
    go(next)
  })
}
const titleOf = (svg) => {
  // The browser's own hover text would lie over ours.
  for (const title of svg.querySelectorAll('title')) {
    if (title.parentNode !== svg) title.remove()
  }
  const title = svg.querySelector('title')
  if (!title) return
  svg.setAttribute('aria-label', title.textContent)
  svg.removeAttribute('aria-labelledby')
  title.remove()
}

for (const svg of document.querySelectorAll('svg[data-hover]')) {
  titleOf(svg)
  const { hover } = svg.dataset, along = hover === 'x' ? 0 : 1
  let read
  const data = () => read ??= (() => {
    const [head, ...rows] = rowsOf(decodeURIComponent(after(hrefOf(svg.id))))
    const places = svg.dataset.places.split(';').map((row) =>
      row.split(' ').map((pair) => pair ? pair.split(',').map(Number) : null))
    const middle = places.map((row) => row.find(Boolean))
    return { head, rows, places, middle, colors: svg.dataset.colors?.split('|') ?? [] }
  })()
  const near = (x, y) => {
    let best = null, least = Infinity
    data().middle.forEach((at, row) => {
      const far = !at ? Infinity : hover === 'xy' ? Math.hypot(at[0] - x, at[1] - y) : Math.abs(at[along] - (along ? y : x))
      if (far < least) [least, best] = [far, row]
    })
    return best
  }
  const showAt = (row) => {
    const { head, rows, places, middle, colors } = data()
    element('p', head[0] + ' ' + (along ? rows[row][0] : show(rows[row][0])) + ' ', tip, 'tip-name')
    const marks = svgElement('g', svg, { class: 'marks' })
    rows[row].slice(1).forEach((value, k) => {
      if (value === '' && head.length > 2) return
      line(head[k + 1], show(value), colors[k])
      const at = places[row][k]
      if (at) svgElement('circle', marks, { cx: at[0], cy: at[1], r: 5, style: 'stroke:' + (colors[k] ?? 'currentColor') })
    })
    leave = () => marks.remove()
    return middle[row]
  }
  const move = (key, at) => {
    const valid = data().middle.flatMap((found, row) => found ? [row] : [])
    const k = valid.indexOf(at)
    const to = { ArrowRight: k + 1, ArrowDown: k + 1, ArrowLeft: k - 1, ArrowUp: k - 1, Home: 0, End: valid.length - 1 }[key]
    return to === undefined ? undefined : valid[Math.max(0, Math.min(valid.length - 1, k < 0 && key !== 'End' ? 0 : to))] ?? null
  }
  listen(svg, { near, move, showAt })
}

const half = (bits) => {
  const exponent = (bits >> 10) & 31, part = bits & 1023
  const size = exponent === 0 ? part * 2 ** -24 : exponent === 31 ? NaN : (1024 + part) * 2 ** (exponent - 25)
  return bits & 0x8000 ? -size : size
}
const thumb = (sample, parent) => {
  const at = info.thumbs?.samples.indexOf(sample) ?? -1
  if (at < 0) return
  const { texts, columns } = info.thumbs
  if (texts) return element('code', texts[at], parent)
  const made = element('span', undefined, parent, 'thumb')
  made.style.setProperty('--x', at % columns)
  made.style.setProperty('--y', Math.floor(at / columns))
}
// What a row or a column of a square picture is: the samples, or the classes, that it stands for.
const partOf = (svg, cell, size) => {
  const classes = svg.dataset.of === 'classes'
  const all = classes ? info.groups.length : info.order.length
  const from = Math.ceil(cell * all / size), to = Math.ceil((cell + 1) * all / size) - 1
  if (classes) return { name: info.groups[from][0] + (to > from ? ' – ' + info.groups[to][0] : ''), sample: info.order[info.groups[from][1]] }
  const group = info.groups.find(([, start, count]) => from >= start && from < start + count)
  const samples = info.order.slice(from, to + 1)
  const many = samples.length > 4 ? samples.slice(0, 3).join(', ') + ' … (' + samples.length + ')' : samples.join(', ')
  return { name: 'sample' + (to > from ? 's ' : ' ') + many + (group ? ', ' + group[0] : ''), sample: samples[0] }
}
for (const svg of document.querySelectorAll('svg[data-square]')) {
  titleOf(svg)
  const [left, top, side] = svg.dataset.square.split(',').map(Number)
  let read
  const data = () => read ??= (() => {
    const bytes = Uint8Array.from(atob(after(hrefOf(svg.id))), (c) => c.charCodeAt(0))
    const view = new DataView(bytes.buffer)
    const start = 10 + view.getUint16(8, true)
    const size = Math.round(Math.sqrt((bytes.length - start) / 2))
    return { size, value: (i, j) => half(view.getUint16(start + 2 * (i * size + j), true)) }
  })()
  const near = (x, y) => {
    const { size } = data()
    const cell = (p, from) => Math.floor((p - from) / side * size)
    const [i, j] = [cell(y, top), cell(x, left)]
    return i >= 0 && j >= 0 && i < size && j < size ? [i, j] : null
  }
  const showAt = ([i, j]) => {
    const { size, value } = data()
    element('p', (svg.dataset.unit ?? 'value') + ' ' + show(Number(value(i, j).toPrecision(3))) + ' ', tip, 'tip-name')
    for (const [what, cell] of [['row', i], ['column', j]]) {
      const { name, sample } = partOf(svg, cell, size)
      const row = element('p', undefined, tip, 'tip-part')
      thumb(sample, row)
      element('span', what + ': ' + name + ' ', row)
    }
    const step = side / size, edge = Math.max(step, 4)
    const x = left + (j + .5) * step, y = top + (i + .5) * step
    const box = (px, py, w, h) => 'M' + (px - w / 2) + ' ' + (py - h / 2) + 'h' + w + 'v' + h + 'h' + -w + 'z'
    const mark = svgElement('g', svg, { class: 'mark' })
    // The row and the column, then the cell.
    svgElement('path', mark, { d: box(left + side / 2, y, side, step) + box(x, top + side / 2, step, side), opacity: .5 })
    svgElement('path', mark, { d: box(x, y, edge, edge) })
    leave = () => mark.remove()
    return [x, y]
  }
  const move = (key, at, far) => {
    const { size } = data()
    const by = far ? Math.max(1, Math.round(size / 10)) : 1
    const step = { ArrowRight: [0, by], ArrowLeft: [0, -by], ArrowDown: [by, 0], ArrowUp: [-by, 0] }[key]
    if (key === 'Home') return [0, 0]
    if (key === 'End') return [size - 1, size - 1]
    if (!step) return undefined
    return at ? at.map((p, k) => Math.max(0, Math.min(size - 1, p + step[k]))) : [0, 0]
  }
  listen(svg, { near, move, showAt })
}
addEventListener('scroll', () => again ? again() : hide(), { passive: true })
// Nothing may be hidden on paper.
const opened = []
addEventListener('beforeprint', () => {
  for (const part of document.querySelectorAll('details:not([open])')) {
    part.open = true
    opened.push(part)
  }
})
addEventListener('afterprint', () => {
  for (const part of opened.splice(0)) part.open = false
})
})()`
