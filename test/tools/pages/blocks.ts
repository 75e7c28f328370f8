// The code blocks of a page, and what they say that they print.
export interface Block {
  language: string
  code: string
  /** 'docs/inputs.md:27'. */
  place: string
}

const fence = /^```([^\n]*)\n(.*?)^```$/gms

export function blocksOf(page: string, text: string): Block[] {
  return [...text.matchAll(fence)].map(({ 1: language = '', 2: code = '', index }) => ({
    language: language.trim(),
    code,
    place: `${page}:${text.slice(0, index).split('\n').length}`,
  }))
}

/**
 * Lines that a block says it prints: comments at the start of a line, below code or below another
 * such line. A comment below an empty line explains what follows it.
 */
export function printedLines(code: string, mark: '//' | '#'): string[] {
  const said: string[] = []
  let below = false
  for (const line of code.split('\n')) {
    const comment = line === mark || line.startsWith(`${mark} `)
    if (comment && below) said.push(line.slice(mark.length + 1))
    below = line !== '' && (below || !comment)
  }
  return said
}

/** Whether lines are as they were said to be; `…` stands for anything, alone for any lines. */
export function agrees(said: readonly string[], printed: string): boolean {
  const escaped = said.map((line) => {
    if (line === '…') return '(?:.*\\n)*?'
    const parts = line.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    return `${parts.join('.*')}\\n`
  })
  return new RegExp(`^${escaped.join('')}$`).test(`${printed.trimEnd()}\n`)
}
