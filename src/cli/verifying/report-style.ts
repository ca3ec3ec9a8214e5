/** Of the page that `capstan verify --report` writes; follows the reader's light or dark. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5a6472; --paper: #ffffff; --lane: #f0f3f7;
  --line: #c9d1db; --read: #bcdcff; --write: #d8d2f5; --bad: #c4281c; --badsoft: #ffd9d4;
  --good: #1a7f37; --warn: #9a6700; --fault: #f3c98b; --band: #f3c98b66; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9f0; --soft: #9aa5b4; --paper: #12161d; --lane: #1c222c; --line: #3a4454;
    --read: #1f4a78; --write: #46397d; --bad: #ff7b6f; --badsoft: #6b1d16; --good: #56d37a;
    --warn: #e3b341; --fault: #6e4d1c; --band: #6e4d1c66; }
}
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 1100px; margin: 0 auto; padding: 24px; }
h1 { font-size: 22px; overflow-wrap: anywhere; } h2 { font-size: 18px; margin-top: 36px; }
h3 { font-size: 16px; margin-top: 32px; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 6px 10px; border-bottom: 1px solid var(--line); }
small, .note { color: var(--soft); font-size: 13px; }
.held { color: var(--good); } .violated { color: var(--bad); font-weight: 600; } .broken { color: var(--warn); }
td a { color: inherit; }
pre, code { font: 13px/1.45 ui-monospace, monospace; } pre { overflow-x: auto; }
code { background: var(--lane); padding: 2px 5px; border-radius: 3px; overflow-wrap: anywhere; }
.picture { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; padding: 8px; }
svg.lanes { display: block; max-width: none; }
svg.lanes text { font: 12px ui-monospace, monospace; fill: var(--ink); }
svg.lanes .node { font-weight: 600; } svg.lanes .time { fill: var(--soft); font-size: 11px; }
.lane { fill: var(--lane); } .tick { stroke: var(--line); stroke-dasharray: 2 3; }
.read rect { fill: var(--read); } .write rect { fill: var(--write); }
.open rect { stroke: var(--soft); stroke-dasharray: 4 3; fill-opacity: 0.5; }
.violated rect { fill: var(--badsoft); stroke: var(--bad); stroke-width: 2; } .mark { fill: var(--bad); }
.fault rect { fill: var(--fault); } svg.lanes .fault text { font-size: 11px; } .band { fill: var(--band); }
`;
