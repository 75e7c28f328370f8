// What a figure can be asked for: its numbers as a file, inside the page.
import { toFloat16 } from '../io/ndarray.js'
import { npyHeader } from '../io/npy.js'
import { html, type Markup } from './html.js'

export type Cell = string | number | null

/** The numbers of a figure, row by row; the first column says what a row is. */
export interface DataTable {
  columns: readonly string[]
  rows: readonly (readonly Cell[])[]
}

/** A field of a CSV file: names come from files, and a spreadsheet must not compute them. */
function field(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  const text = /^[=+@\t\r]/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export function csv({ columns, rows }: DataTable): string {
  return [columns, ...rows].map((cells) => `${cells.map(field).join(',')}\n`).join('')
}

/** Text inside a URI: only what a URI or an attribute cannot hold is written otherwise. */
const inUri = (text: string) => text.replace(/[^!$'()*+,\-./:;=?@\w~]+/g, encodeURIComponent)

/** A name that every file system takes. */
const fileName = (name: string) => name.replace(/[^\w.-]+/g, '-')

/** A link that saves a table as CSV; the page's script reads the hover values out of it. */
export function csvLink(id: string, table: DataTable): Markup {
  return html`<a class="data" id="${id}-data" download="${fileName(id)}.csv" href="data:text/csv;charset=utf-8,${inUri(csv(table))}">CSV</a>`
}

/** A link that saves a square picture's numbers as a NumPy array (size, size) of float16. */
export function npyLink(id: string, size: number, values: ArrayLike<number>): Markup {
  const halves = toFloat16(values)
  const bytes = Buffer.concat([
    npyHeader('float16', [size, size]),
    new Uint8Array(halves.buffer, 0, halves.byteLength),
  ])
  return html`<a class="data" id="${id}-data" download="${fileName(id)}.npy" href="data:application/octet-stream;base64,${bytes.toString('base64')}">NPY</a>`
}
