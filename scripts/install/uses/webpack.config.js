// As docs/install.md has it, for a bundle that is an ES module.
export default {
  mode: 'production',
  target: 'node',
  entry: './kernel.mjs',
  experiments: { outputModule: true },
  externals: { 'adaptive-tangent': 'module adaptive-tangent' },
  output: { filename: 'kernel.js', module: true },
}
