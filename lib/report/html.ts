import { createHash } from 'node:crypto'
import { printable } from '../core/printable.js'

/** Text that is already HTML. Everything else put into `html` is escaped. */
export class Markup {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text
  }
}

type Value = Markup | string | number | false | null | undefined | readonly Value[]

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function show(value: Value): string {
  if (value instanceof Markup) return value.text
  if (Array.isArray(value)) return value.map(show).join('')
  if (value === false || value === null || value === undefined) return ''
  return printable(String(value)).replace(/[&<>"']/g, (char) => entities[char] as string)
}

/**
 * The start of a page that asks nothing of anywhere and runs no script, but for the one given: the
 * browser runs that by its digest, and none that a name could smuggle in.
 */
export function htmlHead(
  title: string | Markup,
  css: string,
  more: Value = '',
  script?: string,
): Markup {
  const digest = script && createHash('sha256').update(script).digest('base64')
  const scripts = digest ? `; script-src 'sha256-${digest}'` : ''
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'${new Markup(scripts)}">${more}
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${new Markup(css)}</style>
</head>`
}

/** HTML in which every value is text, unless it is Markup itself. */
export function html(strings: TemplateStringsArray, ...values: Value[]): Markup {
  return new Markup(strings.map((part, i) => part + show(values[i])).join(''))
}
