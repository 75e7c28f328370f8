// Writes the exported fits of the reference networks with samples and predictions, for other runtimes:
// node dist/test/export/write.js FOLDER, then python test/export/runtimes.py FOLDER.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeNpy } from '../../lib/index.js'
import { first, fitOf, fits } from './fits.js'

const [folder = 'dist/exported'] = process.argv.slice(2)
await mkdir(folder, { recursive: true })
for (const name of Object.keys(fits)) {
  const { network, fitted, input } = await fitOf(name)
  const x = first(input, 5)
  await fitted.exportOnnx(network, join(folder, `${name}.onnx`))
  await writeNpy(join(folder, `${name}.x.npy`), x)
  await writeNpy(join(folder, `${name}.y.npy`), await fitted.predict(network, x))
  await network.dispose()
}
