// The examples of the docs run as they stand, from a checkout.
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const root = fileURLToPath(new URL('../../..', import.meta.url))

for (const page of [
  'inputs',
  'control-flow',
  'export',
  'outputs',
  'targets',
  'parameters',
  'batches',
  'limits',
  'float64',
]) {
  test(`docs/${page}.md: examples print what they say`, async (t) => {
    const text = await readFile(`${root}docs/${page}.md`, 'utf8')
    const examples = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code as string)
    t.true(examples.length > 0)
    for (const [k, code] of examples.entries()) {
      // Inside the package, which finds itself by its name.
      const file = `${root}dist/docs-${page}-${k}.mjs`
      await writeFile(file, code)
      const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: root })
      const said = [...code.matchAll(/^\/\/ (.*)$/gm)].map(([, line]) => line)
      if (said.length > 0) t.deepEqual(stdout.trim().split('\n'), said)
    }
  })
}
