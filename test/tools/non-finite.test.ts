// The example of docs/non-finite.md runs and does what is written there.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const root = fileURLToPath(new URL('../../..', import.meta.url))

test('the example of docs/non-finite.md', async (t) => {
  const page = await readFile(`${root}docs/non-finite.md`, 'utf8')
  const [, code = ''] = /```js\n(.*?)```/s.exec(page) ?? []
  const source = code.replace("'adaptive-tangent'", JSON.stringify(`${root}dist/lib/index.js`))
  const folder = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'example.mjs'), source)
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'example.mjs')], {
    cwd: root,
  })
  const [error = '', finite] = stdout.trim().split('\n')
  t.regex(error, /^NUMERICAL Expected finite derivatives but that of output \d+ of sample 0 /)
  t.regex(error, /in node ".+"/)
  t.is(finite, 'false')
})
