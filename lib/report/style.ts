/** The page's whole style: system fonts, light and dark, from 320 pixels up. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --raised: #f4f4ef; --ink: #1c2024; --soft: #5c6470; --line: #d5d7d3;
  --before: #5f7f9f; --after: #cf5f1f; --accent: #a5450d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181b; --raised: #1e2226; --ink: #e7e9ea; --soft: #a0a8b0; --line: #3a4046;
    --before: #8db0d3; --after: #f5924e; --accent: #f5a56c;
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
.split { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 18px 36px; align-items: start; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 20px 28px; margin: 6px 0 14px; }
.pictures.three { grid-template-columns: repeat(auto-fit, minmax(min(100%, 224px), 1fr)); max-width: 820px; }
.strip { margin: 12px 0 4px; }
.strip-name { font-size: 14px; font-weight: 600; margin-bottom: 6px; overflow-wrap: anywhere; }
.small-pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(96px, 128px)); gap: 10px; }
.small-pictures figcaption { font-weight: 400; color: var(--soft); font-size: 12.5px; margin: 3px 0 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 14px; margin: 0 0 10px; }
.legend span { display: inline-flex; align-items: center; gap: 7px; overflow-wrap: anywhere; }
.legend i { flex: none; width: 12px; height: 12px; border-radius: 3px; }
figcaption + svg.plot + .note, .curves .note { margin: 2px 0 0; font-size: 13px; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 280px), 1fr)); gap: 20px 24px; margin: 6px 0 14px; }
.small-curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(120px, 150px)); gap: 10px; }
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
.frame-parts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 264px), 1fr)); gap: 12px 24px; align-items: start; }
.frame-values { margin: 0; }
.frame-values th { color: var(--soft); }
details { margin: 8px 0 14px; }
summary { cursor: pointer; color: var(--accent); font-size: 14.5px; width: fit-content; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 10px 0; font-size: 14.5px; }
th, td { text-align: left; vertical-align: top; padding: 5px 18px 5px 0; border-bottom: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--soft); vertical-align: bottom; }
.facts-table tbody th { color: var(--soft); white-space: nowrap; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.total th, .total td { font-weight: 600; }
.tag { white-space: nowrap; }
.tag:not(:last-child)::after { content: "·"; color: var(--soft); margin-left: .35em; }
.tag small, td small { color: var(--soft); }
footer { margin-top: 44px; padding-top: 16px; border-top: 1px solid var(--line); color: var(--soft); font-size: 13.5px; }
@media (max-width: 520px) { .small-pictures { grid-template-columns: repeat(3, 1fr); } body { padding: 24px 16px 48px; } section { padding-top: 26px; } }
@media print { nav, summary { display: none; } section { break-inside: avoid-page; } }
`
