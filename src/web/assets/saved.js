// Views that somebody saved under a name: filters, kept by this browser. A view's address can be sent to anybody as well.
import { $, el, say } from './dom.js';
import { applyFilters } from './head.js';
import { state } from './state.js';

const KEY = 'sla-views';
/** More than these nobody finds again. */
const MOST = 30;

function known() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}');
  } catch {
    return {};
  }
}

const chosen = () => Object.fromEntries(Object.entries(state.filters).filter(([, text]) => text));
const same = (a, b) => JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());

/** The list of views, and the button that saves or forgets what is shown. */
export function drawSaved() {
  const views = known();
  const names = Object.keys(views).sort((a, b) => a.localeCompare(b));
  const current = names.find((name) => same(views[name], chosen())) ?? '';
  const select = $('saved');
  const shown = [...select.options].slice(1).map((option) => option.value);
  if (shown.join('\n') !== names.join('\n')) select.replaceChildren(select.options[0], ...names.map((name) => el('option', { value: name }, name)));
  select.value = current;
  select.hidden = !names.length;
  $('save').hidden = !Object.keys(chosen()).length;
  say($('save'), current ? 'Forget view' : 'Save view');
}

function save() {
  const views = known();
  const current = $('saved').value;
  if (current) delete views[current];
  else {
    const name = prompt('What is this view to be called?')?.trim().slice(0, 60);
    if (!name || Object.keys(views).length >= MOST) return;
    views[name] = chosen();
  }
  localStorage.setItem(KEY, JSON.stringify(views));
  drawSaved();
}

export function startSaved() {
  $('save').addEventListener('click', save);
  $('saved').addEventListener('change', (event) => applyFilters(known()[event.target.value] ?? {}));
}
