// Real architectures at a small width against float64 references: exported by make.py, where the
// same code at full size is for table.ts.
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { about, compare } from './compare.js'

const root = fileURLToPath(new URL('../../../test/fixtures/zoo', import.meta.url))

for (const name of readdirSync(root)) {
  const folder = `${root}/${name}`
  for (const file of about(folder).files) {
    test(`${name}: ${file.file}`, async (t) => {
      const figures = await compare(folder, file)
      t.log(figures)
      t.true(figures.output < 1e-4, `output ${figures.output}`)
      t.true(figures.kernel < 1e-4, `kernel ${figures.kernel}`)
      t.true(figures.trace < 1e-4, `trace ${figures.trace}`)
      t.true(figures.part < 1e-3, `${figures.worst} ${figures.part}`)
    })
  }
}
