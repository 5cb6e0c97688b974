// How the docs page looks, in light and in dark. It asks for nothing from anywhere: fonts are those of the reader's system.

export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#fdfdfc, #16181c);
  --raised: light-dark(#fff, #1d2025);
  --ink: light-dark(#1c1e21, #e4e6e9);
  --faint: light-dark(#5d646d, #9aa2ad);
  --line: light-dark(#e3e5e8, #31353c);
  --accent: light-dark(#0b6bcb, #6cb2ff);
  --get: light-dark(#0b6bcb, #6cb2ff);
  --post: light-dark(#127a3e, #59c985);
  --put: light-dark(#8a5a00, #e2b04a);
  --patch: light-dark(#6b3fc4, #b79bff);
  --delete: light-dark(#b3261e, #ff8a80);
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace;
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
code, pre, input, textarea, select { font: 13px/1.45 var(--mono); }
code { overflow-wrap: anywhere; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
header { padding: 28px 32px 20px; border-bottom: 1px solid var(--line); }
h1 { margin: 0 0 6px; font-size: 24px; letter-spacing: -0.01em; }
h1 small { font-size: 13px; font-weight: 400; color: var(--faint); margin-left: 8px; }
header p { margin: 0; max-width: 75ch; color: var(--faint); }
.frame { display: grid; grid-template-columns: 300px minmax(0, 1fr); max-width: 1280px; }
nav { position: sticky; top: 0; align-self: start; height: 100vh; overflow: auto; padding: 20px 12px 40px 32px; }
nav h2 { margin: 18px 0 4px; font-size: 12px; text-transform: uppercase; letter-spacing: 0.06em; color: var(--faint); }
nav a { display: flex; gap: 8px; padding: 3px 0; color: inherit; font: 13px/1.45 var(--mono); }
nav a .method { width: 46px; flex: none; }
nav a[hidden], nav h2[hidden] { display: none; }
main { padding: 20px 32px 80px; }
section > h2 { margin: 36px 0 2px; font-size: 19px; }
section > p { margin: 0 0 12px; color: var(--faint); }
details { border: 1px solid var(--line); border-radius: 8px; background: var(--raised); margin: 8px 0; }
summary { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; padding: 10px 14px; cursor: pointer; }
summary::-webkit-details-marker { display: none; }
summary:focus-visible, a:focus-visible, button:focus-visible, input:focus-visible, textarea:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 1px;
}
summary .path { font: 600 13px/1.45 var(--mono); overflow-wrap: anywhere; }
summary .what { color: var(--faint); }
.method { font: 700 11px/1.6 var(--mono); letter-spacing: 0.03em; }
.get { color: var(--get); } .post { color: var(--post); } .put { color: var(--put); }
.patch { color: var(--patch); } .delete { color: var(--delete); }
.inside { padding: 0 14px 14px; border-top: 1px solid var(--line); }
h4 { margin: 16px 0 6px; font-size: 12px; text-transform: uppercase; letter-spacing: 0.06em; color: var(--faint); }
table { width: 100%; border-collapse: collapse; }
td { padding: 5px 12px 5px 0; border-top: 1px solid var(--line); vertical-align: top; }
tr:first-child > td { border-top: 0; }
td:first-child { width: 1%; white-space: nowrap; font: 13px/1.6 var(--mono); }
td .type { color: var(--faint); font: 13px/1.6 var(--mono); overflow-wrap: anywhere; }
.required::after { content: " *"; color: var(--delete); }
form label { display: grid; grid-template-columns: 150px minmax(0, 1fr); gap: 10px; align-items: center; margin: 5px 0; }
form label > span { font: 13px/1.45 var(--mono); }
input, textarea {
  width: 100%; padding: 6px 9px; color: inherit; background: var(--ground);
  border: 1px solid var(--line); border-radius: 6px;
}
input[type="checkbox"] { width: auto; justify-self: start; }
textarea { min-height: 92px; resize: vertical; }
button {
  padding: 6px 16px; margin: 8px 8px 0 0; border: 1px solid var(--accent); border-radius: 6px; cursor: pointer;
  background: var(--accent); color: var(--ground); font: 600 13px/1.45 system-ui, sans-serif;
}
button[data-stop] { background: none; color: var(--accent); }
pre {
  margin: 10px 0 0; padding: 10px 12px; max-height: 420px; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--ground); border: 1px solid var(--line); border-radius: 6px;
}
@media (max-width: 860px) {
  .frame { display: block; }
  nav { position: static; height: auto; padding: 16px 20px 0; }
  header, main { padding-left: 20px; padding-right: 20px; }
  form label { grid-template-columns: 1fr; gap: 2px; }
}
`;
