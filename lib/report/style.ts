/** The page's whole style: system fonts, light and dark, from 320 pixels up. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --raised: #f4f4ef; --ink: #1c2024; --soft: #5c6470; --line: #d5d7d3;
  --before: #3f75a8; --after: #cf5f1f; --third: #0a8a6a; --fourth: #9a4c94; --fifth: #a87a00; --sixth: #1a9bc0; --accent: #a5450d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181b; --raised: #1e2226; --ink: #e7e9ea; --soft: #a0a8b0; --line: #3a4046;
    --before: #7fb0e0; --after: #f5924e; --third: #49c9a2; --fourth: #d78fd1; --fifth: #e3bf4e; --sixth: #66d0f2; --accent: #f5a56c;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 1080px; padding: 40px 24px 64px;
  background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
header { border-bottom: 1px solid var(--line); padding-bottom: 20px; }
.kicker { margin: 0; color: var(--accent); font-size: 13px; font-weight: 600; letter-spacing: .06em; text-transform: uppercase; }
h1 { margin: 6px 0 10px; font-size: clamp(26px, 4.4vw, 40px); line-height: 1.15; letter-spacing: -.015em; text-wrap: balance; }
h2 { margin: 0 0 12px; font-size: 23px; line-height: 1.25; letter-spacing: -.01em; }
h3 { margin: 34px 0 4px; font-size: 17px; }
p { margin: 0 0 14px; max-width: 70ch; }
.sub { margin: 0; color: var(--soft); overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 16px; font-size: 14px; }
a { color: var(--accent); text-underline-offset: 3px; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
section { padding: 34px 0 6px; scroll-margin-top: 8px; }
section + section { border-top: 1px solid var(--line); margin-top: 30px; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 160px), 1fr)); gap: 12px; margin: 0 0 20px; }
.card { background: var(--raised); border-radius: 10px; padding: 14px 14px 12px; }
.card dt { color: var(--soft); font-size: 14px; }
.card dd { display: flex; flex-wrap: wrap; align-items: baseline; column-gap: 6px; margin: 2px 0 0; font-variant-numeric: tabular-nums; }
.card .was { color: var(--before); font-size: 17px; font-weight: 600; }
.card .arrow { color: var(--soft); }
.card .was, .card .is { white-space: nowrap; }
.card .is { color: var(--after); font-size: 22px; font-weight: 700; letter-spacing: -.01em; }
.card small { flex-basis: 100%; color: var(--soft); font-size: 13px; }
.facts { margin: 0 0 16px; padding: 0; list-style: none; max-width: 74ch; }
.facts li { margin: 0 0 7px; padding-left: 18px; position: relative; overflow-wrap: anywhere; }
.facts li::before { content: ""; position: absolute; left: 2px; top: .62em; width: 6px; height: 6px; border-radius: 50%; background: var(--after); }
.note { color: var(--soft); font-size: 14px; line-height: 1.5; margin-top: 8px; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 14px; font-weight: 600; margin: 0 0 6px; overflow-wrap: anywhere; }
svg.plot { display: block; width: auto; max-width: 100%; height: auto; }
svg.plot text { white-space: pre; }
.plot-box { position: relative; min-width: 0; }
.data { font-size: 12px; text-decoration: none; color: var(--soft); border-bottom: 1px dotted; }
.data::before { content: "↓ "; }
.data:hover, .data:focus-visible { color: var(--accent); }
svg.plot:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; }
svg .marks circle { fill: var(--paper); stroke-width: 2.5; pointer-events: none; }
svg .mark { fill: none; stroke: #fff; stroke-width: 1.2; pointer-events: none; }
.tip { display: none; position: fixed; z-index: 9; pointer-events: none; max-width: min(320px, 92vw); padding: 8px 11px; border-radius: 8px; background: var(--paper); color: var(--ink); border: 1px solid var(--line); box-shadow: 0 4px 18px rgb(0 0 0 / .22); font-size: 13px; line-height: 1.4; }
.tip p { display: flex; align-items: center; gap: 8px; margin: 0; overflow-wrap: anywhere; }
.tip b { margin-left: auto; padding-left: 10px; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tip i { flex: none; width: 10px; height: 10px; border-radius: 3px; }
.tip .tip-name { font-weight: 600; margin-bottom: 2px; }
.tip .tip-part { margin-top: 5px; }
.graph-row { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 10px 48px; margin: 8px 0 14px; }
.graph { overflow: auto; max-width: 100%; padding: 4px; margin: -4px; }
.graph-key { display: grid; gap: 12px; min-width: 0; }
.graph svg.plot { max-width: none; }
.thumbs { display: flex; flex-wrap: wrap; gap: 10px 8px; margin: 6px 0 14px; padding: 0; list-style: none; }
.thumbs li { width: 70px; }
.thumb { display: block; flex: none; image-rendering: pixelated; border-radius: 4px; }
.thumb-name { display: block; font-size: 12px; line-height: 1.3; color: var(--soft); overflow-wrap: anywhere; margin-top: 3px; }
.pairs { list-style: none; margin: 0; padding: 0; }
.pairs li { margin-bottom: 6px; }
.vector { border-top: 1px solid var(--line); padding: 14px 0 4px; break-inside: avoid; }
.vector-parts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 260px), auto)); gap: 6px 32px; justify-content: start; }
.vector-parts > div:first-child { min-width: 0; max-width: 720px; }
.end-name { font-size: 13px; color: var(--soft); margin: 0; }
.thumb-text { font-size: 11px; }
.split { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 18px 36px; align-items: start; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 20px 28px; margin: 6px 0 14px; }
.pictures.three { grid-template-columns: repeat(auto-fit, minmax(min(100%, 250px), 1fr)); }
.strip { margin: 12px 0 4px; }
.strip-name { font-size: 14px; font-weight: 600; margin-bottom: 6px; overflow-wrap: anywhere; }
.small-pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 14px; }
.small-pictures figcaption { font-weight: 400; color: var(--soft); font-size: 13px; margin: 0 0 3px; }
.small-pictures svg.plot { width: 100%; max-width: 260px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 14px; margin: 0 0 10px; }
.legend span { display: inline-flex; align-items: center; gap: 7px; overflow-wrap: anywhere; }
.legend svg { flex: none; stroke-width: 3; }
.curves .legend { font-size: 13px; gap: 2px 14px; margin: 0 0 4px; }
figcaption + svg.plot + .note, .curves .note { margin: 2px 0 0; font-size: 13px; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 280px), 1fr)); gap: 20px 24px; margin: 6px 0 14px; }
.small-curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 12px; }
.small-curves figcaption { font-weight: 400; color: var(--soft); font-size: 12.5px; margin: 2px 0 0; }
.strip-name .note { font-weight: 400; }
.slider { display: grid; grid-template-columns: repeat(var(--frames), minmax(0, 1fr)); background: var(--raised); border-radius: 10px; padding: 14px; margin: 6px 0 14px; }
.slider > input { appearance: none; width: auto; min-width: 0; height: 30px; margin: 0; cursor: pointer; border-radius: 4px; background: linear-gradient(var(--line), var(--line)) center / 100% 4px no-repeat; position: relative; }
.slider > input::after { content: ""; position: absolute; left: 50%; top: 50%; width: 8px; height: 8px; margin: -4px; border-radius: 50%; background: var(--soft); }
.slider > input:checked::after { width: 18px; height: 18px; margin: -9px; background: var(--after); }
.slider > input:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.frames { grid-column: 1 / -1; min-width: 0; margin-top: 8px; }
.frame { display: none; }
.frame-name { font-weight: 600; margin: 0 0 8px; overflow-wrap: anywhere; }
.frame-name small { color: var(--soft); font-weight: 400; margin-left: 6px; }
.frame-parts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 12px 24px; align-items: start; }
.frame-parts svg[data-square] { width: 100%; }
@media (min-width: 900px) { .frame-parts { grid-template-columns: 1.35fr 1fr .85fr; } }
.frame-values { margin: 0; }
.frame-values th { color: var(--soft); }
details { margin: 8px 0 14px; }
summary { cursor: pointer; color: var(--accent); font-size: 14.5px; width: fit-content; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 10px 0; font-size: 14.5px; }
th, td { text-align: left; vertical-align: top; padding: 5px 18px 5px 0; border-bottom: 1px solid var(--line); font-weight: 400; }
caption { text-align: left; color: var(--soft); font-size: 13.5px; padding: 0 0 6px; max-width: 78ch; }
thead th { color: var(--soft); vertical-align: bottom; }
.facts-table tbody th { color: var(--soft); white-space: nowrap; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.total th, .total td { font-weight: 600; }
.tag { white-space: nowrap; }
.tag:not(:last-child)::after { content: "·"; color: var(--soft); margin-left: .35em; }
.tag small, td small { color: var(--soft); }
footer { margin-top: 44px; padding-top: 16px; border-top: 1px solid var(--line); color: var(--soft); font-size: 13.5px; }
@media (max-width: 520px) { .small-pictures { grid-template-columns: repeat(2, minmax(0, 1fr)); } body { padding: 24px 16px 48px; } section { padding-top: 26px; } }
@media print {
  :root { color-scheme: light; --paper: #fff; --raised: #f4f4ef; --ink: #1c2024; --soft: #5c6470; --line: #d5d7d3; --before: #3f75a8; --after: #cf5f1f; --third: #0a8a6a; --fourth: #9a4c94; --fifth: #a87a00; --sixth: #1a9bc0; --accent: #a5450d; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { zoom: .7; max-width: none; padding: 0; }
  nav, .data, .tip, .slider > input { display: none !important; }
  h2, h3, figcaption, summary, .strip-name, .end-name { break-after: avoid; }
  figure, .strip, .card, li, tr, .vector { break-inside: avoid; }
  .scroll, .graph { overflow: visible; }
  .graph svg.plot { max-width: 100%; }
  details::details-content { content-visibility: visible; height: auto; opacity: 1; }
  summary { list-style: none; }
}
`
