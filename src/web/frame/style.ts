/**
 * Colours by role. `control` outlines inputs and needs a contrast of 3:1; text needs 4.5:1 (WCAG 2.2 §1.4.3, §1.4.11).
 */
export const LIGHT = {
  page: "#f6f7f9",
  surface: "#ffffff",
  text: "#191c22",
  muted: "#545b69",
  line: "#d9dde4",
  control: "#7b8392",
  accent: "#1a4fc4",
  "accent-hover": "#143f9e",
  "on-accent": "#ffffff",
  danger: "#a91f15",
  "danger-surface": "#fdf1f0",
  warning: "#6f4400",
  "warning-surface": "#fdf5e4",
  success: "#14613a",
  "success-surface": "#ecf7f1",
} as const;

export const DARK: Record<keyof typeof LIGHT, string> = {
  page: "#101217",
  surface: "#171a20",
  text: "#e6e8ed",
  muted: "#a2a9b7",
  line: "#2b303a",
  control: "#737c8c",
  accent: "#8fb5ff",
  "accent-hover": "#b0cbff",
  "on-accent": "#0b1322",
  danger: "#ff9d94",
  "danger-surface": "#2b1715",
  warning: "#f2c878",
  "warning-surface": "#292110",
  success: "#86d9ac",
  "success-surface": "#12261c",
};

const properties = (colours: Record<string, string>) =>
  Object.entries(colours)
    .map(([role, colour]) => `--${role}:${colour};`)
    .join("");

/** The stylesheet of all pages. It is inline, so that a page is one request. */
export const STYLE = `
:root{color-scheme:light dark;${properties(LIGHT)}
--space-1:.25rem;--space-2:.5rem;--space-3:.75rem;--space-4:1rem;--space-5:1.5rem;--space-6:2rem;
--radius:6px;--small:.8125rem;--body:.9375rem;--large:1.0625rem;--title:1.375rem;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;--mono:ui-monospace,"SF Mono",Menlo,Consolas,monospace}
@media (prefers-color-scheme:dark){:root{${properties(DARK)}}}
*,*::before,*::after{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;flex-direction:column;background:var(--page);color:var(--text);font:var(--body)/1.5 var(--sans)}
h1,h2,h3,h4,h5,h6,p,ul,ol,dl,dd,pre,blockquote,hr{margin:0}
h1{font-size:var(--title);line-height:1.25;font-weight:600;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:var(--large);line-height:1.3;font-weight:600}
h3,h4,h5,h6{font-size:var(--body);font-weight:600}
a{color:var(--accent);text-underline-offset:.15em}
a:hover{color:var(--accent-hover)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:2px}
.bar{display:flex;flex-wrap:wrap;gap:var(--space-2) var(--space-4);align-items:center;padding:var(--space-3) var(--space-4);background:var(--surface);border-bottom:1px solid var(--line)}
.bar a{font-weight:600;color:inherit;text-decoration:none}
.bar a:hover{text-decoration:underline}
main{flex:1;width:100%;max-width:27rem;margin:0 auto;padding:var(--space-6) var(--space-4)}
main.wide{max-width:44rem}
footer{padding:var(--space-4);text-align:center;font-size:var(--small);color:var(--muted)}
.stack{display:flex;flex-direction:column;gap:var(--space-4)}
.close{gap:var(--space-2)}
.card{background:var(--surface);border:1px solid var(--line);border-radius:var(--radius);padding:var(--space-5)}
.muted{color:var(--muted)}
.small{font-size:var(--small)}
.field{display:flex;flex-direction:column;gap:var(--space-1)}
.field label{font-weight:600}
.field input,.field select,.field textarea{font:inherit;color:inherit;background:var(--surface);border:1px solid var(--control);border-radius:var(--radius);padding:var(--space-2) var(--space-3);min-height:2.5rem;width:100%}
.field textarea,.field input[readonly]{font:.875em/1.5 var(--mono)}
.field textarea{resize:vertical}
.field [aria-invalid]{border-color:var(--danger)}
details>summary{font-weight:600;cursor:pointer;min-height:1.5rem}
details[open]>summary{margin-bottom:var(--space-4)}
.problem{color:var(--danger);font-size:var(--small)}
.choices{margin:0;min-width:0;border:1px solid var(--line);border-radius:var(--radius);background:var(--surface);padding:var(--space-2) var(--space-4) var(--space-3)}
.choices legend{font-weight:600;padding:0 var(--space-1);margin-left:calc(-1*var(--space-1))}
.choices label{display:flex;gap:var(--space-3);align-items:center;min-height:2rem;overflow-wrap:anywhere}
.choices input{flex:none;width:1.125rem;height:1.125rem;margin:0;accent-color:var(--accent)}
button{font:inherit;font-weight:600;min-height:2.5rem;padding:var(--space-2) var(--space-4);border-radius:var(--radius);border:1px solid var(--control);background:var(--surface);color:inherit;cursor:pointer}
button:hover{border-color:var(--text)}
button.primary{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
button.primary:hover{background:var(--accent-hover);border-color:var(--accent-hover)}
a.button{display:inline-flex;align-items:center;font-weight:600;min-height:2.5rem;padding:var(--space-2) var(--space-4);border-radius:var(--radius);border:1px solid var(--control);background:var(--surface);color:inherit;text-decoration:none}
a.button:hover{border-color:var(--text);color:inherit}
button.link{min-height:1.5rem;padding:0;border:0;background:none;color:var(--accent);font-weight:400;text-decoration:underline;text-underline-offset:.15em}
.buttons{display:flex;flex-wrap:wrap;gap:var(--space-3)}
.buttons button{flex:1 1 8rem}
.notice{border:1px solid;border-radius:var(--radius);padding:var(--space-3) var(--space-4)}
.notice p+p{margin-top:var(--space-2)}
.notice.danger{color:var(--danger);background:var(--danger-surface)}
.notice.warning{color:var(--warning);background:var(--warning-surface)}
.notice.success{color:var(--success);background:var(--success-surface)}
.menu{display:flex;flex-wrap:wrap;gap:var(--space-2) var(--space-4);border-bottom:1px solid var(--line);padding-bottom:var(--space-2)}
.menu a[aria-current]{color:inherit;font-weight:600;text-decoration:none}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:var(--space-2) var(--space-4)}
.facts dt{color:var(--muted)}
.facts dd{overflow-wrap:anywhere}
blockquote{border-left:3px solid var(--line);padding-left:var(--space-4)}
hr{border:0;border-top:1px solid var(--line)}
.list{padding-left:1.25em}
.list li+li,.list li>*+*{margin-top:var(--space-1)}
.readme{overflow-wrap:break-word}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:max-content;max-width:max(100%,30rem)}
th,td{border:1px solid var(--line);padding:var(--space-1) var(--space-3);text-align:left;vertical-align:top}
th{background:var(--surface)}
code,pre{font-family:var(--mono);font-size:.875em}
code{overflow-wrap:anywhere}
td code,th code{overflow-wrap:normal}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--page);border:1px solid var(--line);border-radius:var(--radius);padding:var(--space-3);user-select:all}
@media (max-width:26rem){.facts{grid-template-columns:1fr;gap:0}.facts dd{margin-bottom:var(--space-2)}.card{padding:var(--space-4)}}
@media (forced-colors:active){button.primary{border-width:2px}}
`.replaceAll("\n", "");
