// Every code block of every page runs as it stands and prints what it says.
import { readdirSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { agrees, type Block, blocksOf, printedLines } from './pages/blocks.js'
import { exceptions } from './pages/exceptions.js'
import { makeStage, runCommands, runScript } from './pages/stage.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** All pages but the API's, whose examples stand in the sources and run from there. */
function pages(folder: string): string[] {
  const names = readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
  const inside = names.filter((name) => name.endsWith('.md') && !name.startsWith('api/'))
  return inside.map((name) => `${folder}/${name}`).sort()
}
const all = ['README.md', 'CONTRIBUTING.md', ...pages('docs'), ...pages('examples')]

/** No code: figures, what a file or a terminal shows. */
const shown = ['', 'text', 'json', 'mermaid']

let stage = ''
test.before(async () => {
  stage = await makeStage()
})
test.after.always(() => rm(stage, { recursive: true, force: true }))

/** What is wrong with a block, if anything is. */
async function problem({ language, code, place }: Block): Promise<string | null> {
  const name = place.replaceAll(/\W/g, '-')
  const script = language === 'js'
  if (!script && language !== 'sh') {
    return `${place}: no way to run ${language}; write it as js or sh, or say why in exceptions.ts`
  }
  try {
    const printed = script ? await runScript(stage, name, code) : await runCommands(stage, code)
    const said = printedLines(code, script ? '//' : '#')
    return said.length === 0 || agrees(said, printed) ? null : `${place} prints\n${printed}`
  } catch (error) {
    return `${place}: ${(error as Error).message}`
  }
}

for (const page of all) {
  const blocks = blocksOf(page, readFileSync(root + page, 'utf8'))
  const excepted = exceptions[page] ?? {}
  const code = blocks.filter(({ language }) => !shown.includes(language))
  const running = code.filter((block) => !(firstLine(block) in excepted))
  // One by one: each is a process that takes all cores.
  if (running.length > 0) {
    test.serial(`${page}: ${running.length} blocks run as they stand`, async (t) => {
      const problems: string[] = []
      for (const block of running) problems.push((await problem(block)) ?? '')
      t.deepEqual(problems.filter(Boolean), [])
    })
  }
  if (Object.keys(excepted).length > 0) {
    test(`${page}: what does not run is still there`, (t) => {
      const lines = code.map(firstLine)
      t.deepEqual(
        Object.keys(excepted).filter((line) => !lines.includes(line)),
        [],
      )
    })
  }
}

function firstLine({ code }: Block): string {
  return code.split('\n')[0] as string
}
