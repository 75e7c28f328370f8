// The README's example is a file that compiles and runs.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const root = fileURLToPath(new URL('../../..', import.meta.url))

test('the README shows examples/quickstart.ts', async (t) => {
  const readme = await readFile(`${root}README.md`, 'utf8')
  const example = await readFile(`${root}examples/quickstart.ts`, 'utf8')
  t.true(readme.includes(`\`\`\`js\n${example}\`\`\`\n`))
})

test('examples/quickstart.ts runs', async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, ['dist/examples/quickstart.js'], {
    cwd: root,
  })
  const alignments = [...stdout.matchAll(/^alignment (\S+)$/gm)].map((match) => Number(match[1]))
  t.is(alignments.length, 2)
  t.true(alignments[1]! > alignments[0]!)
  t.is(stdout.match(/^net\.\d+ /gm)?.length, 5)
})
