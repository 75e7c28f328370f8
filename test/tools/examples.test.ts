// Every call that a user can make says what it does, since when, and shows a program that runs.
import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { agrees, blocksOf, printedLines } from './pages/blocks.js'
import { publicCalls } from './pages/public-calls.js'
import { makeStage } from './pages/stage.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const calls = publicCalls(root)

test('every public call has a description, an example and the version that brought it', (t) => {
  t.true(calls.length > 100)
  const incomplete = calls.flatMap(({ name, file, description, tags }) => {
    const lacking = ['example', 'since'].filter((tag) => !tags.get(tag))
    if (description === '') lacking.unshift('description')
    return lacking.length > 0 ? [`${file}: ${name} lacks ${lacking.join(', ')}`] : []
  })
  t.deepEqual(incomplete, [])
})

test('the examples run and print what they say', async (t) => {
  t.timeout(600_000)
  const examples = calls.flatMap(({ name, file, tags }) =>
    blocksOf(`${file} ${name}`, tags.get('example') ?? ''),
  )
  t.true(examples.length >= calls.length)
  const stage = await makeStage()
  // Inside the package, which they find by its name.
  const folder = `${root}dist/examples-of-calls`
  await mkdir(folder, { recursive: true })
  const files = examples.map((_, k) => `${folder}/${k}.mjs`)
  for (const [k, { code }] of examples.entries()) await writeFile(files[k] as string, code)
  const together = `${root}dist/test/tools/pages/together.js`
  const { stdout } = await promisify(execFile)(process.execPath, [together, ...files], {
    cwd: stage,
    maxBuffer: 1e8,
  })
  const wrong = stdout
    .trimEnd()
    .split('\n')
    .flatMap((line, k) => {
      const { printed, error } = JSON.parse(line) as { printed: string; error: string | null }
      const { code = '', place = '' } = examples[k] ?? {}
      if (error !== null) return [`${place}: ${error}`]
      const said = printedLines(code, '//')
      const right = said.length === 0 ? printed === '' : agrees(said, printed)
      return right ? [] : [`${place} prints\n${printed}`]
    })
  t.deepEqual(wrong, [])
  t.is(stdout.trimEnd().split('\n').length, examples.length)
  await Promise.all([stage, folder].map((path) => rm(path, { recursive: true })))
})
