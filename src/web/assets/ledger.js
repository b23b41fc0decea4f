// How a clock was counted, line by line, and where SuperOps and we differ.
import { CLOCKS } from './clocks.js';
import { $, el } from './dom.js';
import { ask, state } from './state.js';

/** The ledgers that a person has opened, because the page is redrawn every few seconds. */
const opened = new Set();
/** Milliseconds. Differences change slowly, and comparing all tickets is work. */
const EVERY = 60000;

function length(seconds) {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return [h && `${h} h`, m && `${m} min`, s && `${s} s`].filter(Boolean).join(' ') || '–';
}

function line(one) {
  return el('li', { class: `entry ${one.kind}` }, el('span', { dir: 'auto' }, one.words), el('b', {}, one.counted ? length(one.counted) : ''));
}

function clockLedger(key, clock, zone) {
  const id = `${key}/${clock.clock}`;
  const whose = clock.truth === 'computed' ? `by our own reckoning, ${clock.policy}` : 'as SuperOps reports it';
  const notes = [zone && `times in ${zone}`, whose, clock.why_not_computed, ...clock.partial].filter(Boolean);
  return el('details', { class: 'ledger', open: opened.has(id), ontoggle: (event) => (event.target.open ? opened.add(id) : opened.delete(id)) },
    el('summary', {}, el('b', {}, CLOCKS[clock.clock]), ' ', el('span', { class: 'muted', dir: 'auto' }, clock.conclusion)),
    el('ol', {}, clock.lines.map(line), el('li', { class: 'entry sum' }, el('span', {}, 'Counted'), el('b', {}, length(clock.counted)))),
    el('p', { class: 'muted' }, notes.map((text) => `${text[0].toUpperCase()}${text.slice(1)}.`).join(' ')));
}

/** The section of a ticket that explains its clocks. */
export function ledgerSection(ledger) {
  if (!ledger?.clocks.length) return '';
  const key = `${ledger.tenant}/${ledger.ticket_id}`;
  // A ledger is told in the zone of its working hours, which may not be that of the page. It is named once if all share it.
  const zones = new Set(ledger.clocks.map((clock) => clock.timezone));
  const [shared] = zones.size === 1 ? zones : [];
  return el('section', {}, el('h3', {}, shared ? `How it is counted (times in ${shared})` : 'How it is counted'),
    ledger.clocks.map((clock) => clockLedger(key, clock, shared ? null : clock.timezone)));
}

function group(one) {
  const who = [one.client ?? 'No client', one.policy].join(' · ');
  return el('li', { title: one.tickets.join(', ') },
    el('p', {}, el('b', { dir: 'auto' }, who), ` ${one.differing} of ${one.compared}, mostly ${one.commonest_cause}`),
    el('p', { class: 'muted', dir: 'auto' }, one.example));
}

/** Shows the panel that makes a wrongly configured client stand out; hides it if there is nothing to show. */
export function drawDifferences() {
  const found = state.differences;
  const panel = $('differences');
  panel.hidden = !found?.differing;
  const shown = JSON.stringify(found?.groups);
  if (panel.hidden || panel.dataset.shown === shown) return;
  panel.dataset.shown = shown;
  panel.replaceChildren(
    el('summary', {}, `${found.differing} of ${found.compared} due times differ from SuperOps’ own`),
    el('ul', {}, found.groups.map(group)));
}

/** Asks once in a while; the page works without an answer. */
export async function readDifferences() {
  if (performance.now() - (state.differencesAt ?? -EVERY) < EVERY) return;
  state.differencesAt = performance.now();
  state.differences = await ask('/api/v1/discrepancies').catch(() => state.differences);
}
