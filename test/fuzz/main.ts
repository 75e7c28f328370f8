// `npm run fuzz -- [count] [first]`: 10,000 changed models by default.
import { writeFileSync } from 'node:fs'
import { campaign } from './campaign.js'
import { mutant, seedModels } from './mutate.js'

const [count = 10_000, first = 0] = process.argv.slice(2).map(Number)
const began = Date.now()
let done = 0
const { counts, faults } = await campaign({
  first,
  count,
  processes: 2,
  timeout: 60_000,
  onResult: (result, counts) => {
    done++
    if (['crash', 'hang', 'wrong', 'untyped'].includes(result.kind)) {
      console.log(JSON.stringify(result))
    }
    if (done % 500 === 0) {
      const seconds = Math.round((Date.now() - began) / 1000)
      console.error(`${done} of ${count}, ${seconds} s`, Object.fromEntries(counts))
    }
  },
})
const seeds = seedModels()
for (const { index, kind } of faults) {
  const file = `fuzz-${kind}-${index}.onnx`
  writeFileSync(file, mutant(seeds, index).bytes)
  console.log(`written: ${file}`)
}
console.log(Object.fromEntries([...counts].sort()))
process.exitCode = faults.length > 0 ? 1 : 0
