// `require` where Node allows it; where not, a sentence that says what to do.
const [major, minor] = process.versions.node.split('.').map(Number)
const allowed = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)
try {
  const { Network, TangentError } = require('adaptive-tangent')
  if (!allowed) throw new Error('require() worked where it cannot')
  if (typeof Network.load !== 'function' || !(TangentError.prototype instanceof Error)) {
    throw new Error('require() gave something else')
  }
} catch (error) {
  if (allowed || !/write await import\('adaptive-tangent'\)/.test(error.message)) throw error
}
