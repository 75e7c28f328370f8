// As docs/install.md has it: a bundle that is an ES module, and one that is CommonJS.
const common = { mode: 'production', target: 'node', entry: './kernel.mjs' }

export default [
  {
    ...common,
    experiments: { outputModule: true },
    externals: { 'adaptive-tangent': 'module adaptive-tangent' },
    output: { filename: 'packed.mjs', module: true },
  },
  {
    ...common,
    externals: { 'adaptive-tangent': 'commonjs adaptive-tangent' },
    output: { filename: 'packed.cjs' },
  },
]
