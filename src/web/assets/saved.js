// Saved views: filters under a name, kept by the service for this person, or shared with all who see as much. A view's
// address can be sent to anybody as well.
import { $, el, say } from './dom.js';
import { applyFilters } from './head.js';
import { ask, send, state } from './state.js';

/** Where this browser kept views before the service kept them. */
const KEY = 'sla-views';

let views = [];

const chosen = () => Object.fromEntries(Object.entries(state.filters).filter(([, text]) => text));
const same = (a, b) => JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
const mayShare = () => document.querySelector('.desk').dataset.mayAct === 'true';

async function read() {
  ({ views } = await ask('/api/v1/views'));
}

function options() {
  const group = (label, some) => some.length && el('optgroup', { label }, some.map((view) => el('option', { value: view.id }, view.tenant ? `${view.name} (${view.tenant})` : view.name)));
  return [group('Yours', views.filter((view) => !view.shared)), group('Shared', views.filter((view) => view.shared))].filter(Boolean);
}

/** The list of views, and the buttons that save, share or forget what is shown. */
export function drawSaved() {
  const current = views.find((view) => same(view.filters, chosen()));
  const select = $('saved');
  const known = JSON.stringify(views.map(({ id, name }) => [id, name]));
  if (select.dataset.known !== known) {
    select.replaceChildren(select.options[0], ...options());
    select.dataset.known = known;
  }
  select.value = current?.id ?? '';
  select.hidden = !views.length;
  const nothing = !Object.keys(chosen()).length;
  $('save').hidden = nothing || Boolean(current?.shared && !mayShare());
  say($('save'), current ? 'Forget view' : 'Save view');
  $('share').hidden = nothing || Boolean(current?.shared) || !mayShare();
}

/** Makes a change, reads the views again, and says what went wrong. */
async function change(doing) {
  await doing.then(read).catch((error) => say($('note'), `The view could not be changed: ${error.message}`));
  drawSaved();
}

function keep(shared) {
  const known = views.find((view) => same(view.filters, chosen()));
  const name = prompt(shared ? 'Name of the view for everybody:' : 'Name of this view:', known?.name ?? '')?.trim().slice(0, 60);
  if (name) change(send('POST', '/api/v1/views', { name, shared, filters: chosen() }));
}

function saveOrForget() {
  const current = $('saved').value;
  if (current) change(send('DELETE', `/api/v1/views/${current}`));
  else keep(false);
}

/** Moves the views that this browser kept to the service, once. */
async function bringAlong() {
  const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}');
  for (const [name, filters] of Object.entries(kept)) await send('POST', '/api/v1/views', { name, filters });
  localStorage.removeItem(KEY);
}

export function startSaved() {
  $('save').addEventListener('click', saveOrForget);
  $('share').addEventListener('click', () => keep(true));
  $('saved').addEventListener('change', (event) => applyFilters(views.find((view) => view.id === event.target.value)?.filters ?? {}));
  bringAlong().catch(() => {}).then(read).then(drawSaved, () => {});
}
