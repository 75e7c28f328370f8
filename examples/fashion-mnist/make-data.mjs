// Makes images.npy and labels.npy: the first 24 test images of each Fashion-MNIST class, in the
// order of the test set. Needs Debian's package dataset-fashion-mnist, or the four IDX files
// anywhere else: node make-data.mjs [folder]
import { readFileSync, writeFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

const perClass = 24
const classes = 10
const pixels = 28 * 28
const folder = process.argv[2] ?? '/usr/share/datasets/fashion-mnist'
const here = new URL('./', import.meta.url)

/** The payload of an IDX file of bytes: 4 bytes of magic, then one 32-bit size per axis. */
function idx(name) {
  const bytes = gunzipSync(readFileSync(`${folder}/${name}.gz`))
  if (bytes.readUInt16BE(0) !== 0 || bytes[2] !== 8) throw new Error(`${name} holds no bytes in IDX`)
  return bytes.subarray(4 + 4 * bytes[3])
}

/** The half-precision bits of a number in {0} ∪ [2^-14, 1], rounded to nearest. */
function half(value) {
  if (value === 0) return 0
  const exponent = Math.floor(Math.log2(value))
  // A mantissa that rounds up to 1024 carries into the exponent, as it should.
  return ((exponent + 15) << 10) + Math.round((value / 2 ** exponent - 1) * 1024)
}

function npy(name, descr, shape, payload) {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ')
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sizes}), }`
  const header = `${dict.padEnd(Math.ceil((dict.length + 11) / 64) * 64 - 11)}\n`
  const prefix = Buffer.from(`\x93NUMPY\x01\x00\x00\x00`, 'latin1')
  prefix.writeUInt16LE(header.length, 8)
  writeFileSync(new URL(name, here), Buffer.concat([prefix, Buffer.from(header, 'latin1'), payload]))
}

const images = idx('t10k-images-idx3-ubyte')
const labels = idx('t10k-labels-idx1-ubyte')
const taken = new Array(classes).fill(0)
const chosen = []
for (let i = 0; i < labels.length; i++) {
  if (taken[labels[i]]++ < perClass) chosen.push(i)
}

// The networks were trained on pixels in [0, 1]. Half precision keeps them to 2^-12 relative.
const halves = Buffer.alloc(chosen.length * pixels * 2)
chosen.forEach((sample, row) => {
  for (let p = 0; p < pixels; p++) {
    halves.writeUInt16LE(half(images[sample * pixels + p] / 255), (row * pixels + p) * 2)
  }
})
npy('images.npy', '<f2', [chosen.length, 1, 28, 28], halves)
npy('labels.npy', '|u1', [chosen.length], Buffer.from(chosen.map((sample) => labels[sample])))
