// Silences and maintenance windows: the list, and the form that makes one.
import { $, el, say } from './dom.js';
import { send } from './state.js';
import { brief } from './time.js';

const PATHS = { silence: 'silences', maintenance: 'maintenance-windows' };
const LABELS = { silence: 'Silence', maintenance: 'Maintenance' };

const acted = () => document.dispatchEvent(new Event('acted'));

function meant(overlay, several) {
  const parts = ['client', 'ticket', 'component', 'priority', 'technician'].filter((name) => overlay[name]).map((name) => `${name} ${overlay[name]}`);
  const whose = several ? `${overlay.tenant}: ` : '';
  return whose + (parts.length ? parts.join(', ') : 'all alerts');
}

function mayEnd(overlay) {
  const { mayAct, mayMaintain } = $('alerting').dataset;
  return (overlay.kind === 'silence' ? mayAct : mayMaintain) === 'true';
}

function item(overlay, several) {
  const end = () => send('DELETE', `/api/v1/${PATHS[overlay.kind]}/${overlay.id}`).catch(() => {}).then(acted);
  return el('li', { class: 'overlay' },
    el('p', {}, el('b', {}, LABELS[overlay.kind]), ' ', meant(overlay, several)),
    el('p', { class: 'muted' }, `${overlay.reason} (${overlay.author}), until ${brief(overlay.until)}`),
    mayEnd(overlay) ? el('button', { type: 'button', onclick: end }, 'End now') : null);
}

export function drawOverlays(overlays, tenants) {
  const signature = JSON.stringify(overlays);
  $('no-overlays').hidden = overlays.length > 0;
  if ($('overlays').dataset.shown !== signature) {
    $('overlays').dataset.shown = signature;
    $('overlays').replaceChildren(...overlays.map((overlay) => item(overlay, tenants.length > 1)));
  }
  const select = $('quiet-tenant');
  if (!select || select.options.length === tenants.length) return;
  select.replaceChildren(...tenants.map(({ tenant }) => el('option', { value: tenant }, tenant)));
  select.closest('label').hidden = tenants.length < 2;
}

export function startQuieter(you) {
  const form = $('quieter');
  form?.addEventListener('submit', async (event) => {
    event.preventDefault();
    const order = Object.fromEntries([...new FormData(form)].map(([name, text]) => [name, text.trim()]).filter(([, text]) => text));
    const kind = event.submitter?.value ?? 'silences';
    delete order.kind;
    if (order.everything) order.everything = true;
    const answer = await send('POST', `/api/v1/${kind}`, { ...order, author: you() }).catch((error) => ({ error }));
    $('complaint').hidden = !answer.error;
    say($('complaint'), answer.error?.message ?? '');
    if (answer.error) return;
    form.reset();
    acted();
  });
}
