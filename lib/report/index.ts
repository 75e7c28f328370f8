export { renderReport } from './page.js'
export type * from './types.js'
