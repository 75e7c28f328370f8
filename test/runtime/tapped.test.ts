// onnxruntime-node returns every wanted value or says why not: nothing brings the process down.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { ofTypes, replaced, type TappedCase } from './tapped/cases.js'

const child = fileURLToPath(new URL('./tapped/child.js', import.meta.url))

interface Line {
  k: number
  values: string[]
  wrong?: string[]
  code?: string
  message?: string
  done?: number
}

async function tried(table: 'types' | 'replaced'): Promise<{ lines: Line[]; deaths: Line[] }> {
  const lines: Line[] = []
  const deaths: Line[] = []
  for (let from = 0; lines.at(-1)?.done === undefined; ) {
    const text = await new Promise<string>((resolve, reject) => {
      const run = spawn(process.execPath, [child, JSON.stringify({ table, from })], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      let out = ''
      run.stdout.on('data', (part: Buffer) => {
        out += part.toString()
      })
      run.on('error', reject)
      run.on('close', () => resolve(out))
    })
    const found = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line)
    lines.push(...found)
    const last = found.at(-1) as Line
    if (last.done !== undefined) break
    deaths.push(last)
    from = last.k + 1
  }
  return { lines, deaths }
}

const nameOf = (cases: readonly TappedCase[], { k, values }: Line) =>
  `${cases[k]?.name} [${values.join(', ')}]`

test('patterns that optimisers replace: every value comes back as it is without them', async (t) => {
  const { lines, deaths } = await tried('replaced')
  t.deepEqual(
    deaths.map((line) => nameOf(replaced, line)),
    [],
  )
  const bad = lines.filter(
    ({ wrong, message }) => message !== undefined || (wrong?.length ?? 0) > 0,
  )
  t.deepEqual(
    bad.map((line) => `${nameOf(replaced, line)}: ${line.message ?? line.wrong}`),
    [],
  )
  const values = replaced.flatMap(({ nodes }) => nodes.flatMap(({ outputs }) => outputs))
  t.is(lines.filter(({ wrong }) => wrong).length, values.length + replaced.length)
})

test('values of every type come back or are refused', async (t) => {
  const { lines, deaths } = await tried('types')
  t.deepEqual(
    deaths.map((line) => nameOf(ofTypes, line)),
    [],
  )
  const right = lines.filter(({ wrong }) => wrong)
  t.deepEqual(
    right.filter(({ wrong }) => wrong?.length).map((line) => nameOf(ofTypes, line)),
    [],
  )
  // Most operators are there for numbers, few for 4 bits, texts and sequences.
  t.true(right.length > 500)
  const refused = lines.filter(({ message }) => message !== undefined)
  t.is(right.length + refused.length, ofTypes.length)
  t.true(refused.every(({ code }) => code !== undefined))
  const narrow = refused.find(({ k }) => ofTypes[k]?.name === 'int4: Cast(x){to:22}->c')
  t.is(narrow?.code, 'UNSUPPORTED')
  t.regex(narrow?.message ?? '', /value "c".*int4/)
})
