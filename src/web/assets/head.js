// The tiles and the filters above the table.
import { mark, STANDINGS } from './clocks.js';
import { $, el, say } from './dom.js';
import { matches, NONE, noneOf, PAGE_SIZE, state } from './state.js';
import { serverNow, words } from './time.js';

/** What each tile counts; the last one counts all tickets and is the sum of the others. */
const TILES = ['breached', 'at_risk', 'on_track', 'paused', 'nothing_due', ''];
const HINTS = { nothing_due: 'Without a due time, or with nothing due any more' };

/** Counts within the other filters, so that a tile's number is what a click on it shows. */
function count(standing) {
  if (state.total > PAGE_SIZE) return state.counts[standing || 'open'];
  return state.tickets.filter((ticket) => matches(ticket, { standing })).length;
}

function makeTile(standing) {
  const label = standing ? [mark(standing), STANDINGS[standing].label] : 'Open';
  const toggle = () => setFilter('standing', state.filters.standing === standing ? '' : standing);
  return el('button', { type: 'button', class: `tile ${standing || 'all'}`, title: HINTS[standing], onclick: toggle }, el('b'), el('span', {}, label));
}

export function drawTiles() {
  if (!$('tiles').children.length) $('tiles').append(...TILES.map(makeTile));
  TILES.forEach((standing, i) => {
    const tile = $('tiles').children[i];
    const number = count(standing);
    say(tile.firstChild, String(number));
    tile.classList.toggle('zero', number === 0);
    // Most desks have none, so an empty tile takes no room.
    tile.hidden = standing === 'nothing_due' && number === 0 && state.filters.standing !== standing;
    tile.setAttribute('aria-pressed', String(state.filters.standing === standing));
  });
  const { breached, unassigned, likely, unanswered_since: since } = state.overview;
  const wait = since && Math.max(1, (serverNow() - Date.parse(since)) / 1000);
  say($('desk'), [unassigned && `${unassigned} unassigned`, wait && `longest wait for a first answer: ${words(wait)}`, likely && `${likely} likely to breach`].filter(Boolean).join(' · '));
  document.title = breached ? `(${breached}) SLA watch` : 'SLA watch';
}

/** The choices: all values ever seen here or named by the server, and the one that a bookmark asks for. */
function choices(name) {
  const values = [...state.seen[name]].sort((a, b) => a.localeCompare(b));
  if (state.choices[name]?.includes(NONE) || state.tickets.some((ticket) => !ticket[name])) values.push(NONE);
  const chosen = state.filters[name];
  return !chosen || values.includes(chosen) ? values : [...values, chosen];
}

export function drawFilters() {
  for (const name of Object.keys(state.seen)) {
    const select = $('filters').elements[name];
    const values = choices(name);
    const known = [...select.options].slice(1).map((option) => option.value);
    if (known.join('\n') !== values.join('\n')) {
      select.replaceChildren(select.options[0], ...values.map((value) => el('option', { value }, value === NONE ? (name === 'technician' ? noneOf(name) : 'None') : value)));
    }
    select.value = state.filters[name];
    select.hidden = name === 'tenant' && values.length < 2 && !state.filters.tenant;
    select.classList.toggle('chosen', Boolean(state.filters[name]));
  }
  $('clear').hidden = !Object.values(state.filters).some(Boolean);
}

export function setFilter(name, value) {
  state.filters[name] = value;
  const chosen = Object.entries(state.filters).filter(([, text]) => text);
  history.replaceState(null, '', chosen.length ? `#${new URLSearchParams(chosen)}` : location.pathname);
  document.dispatchEvent(new Event('filtered'));
}

/** Shows the tickets that match these filters. */
export function applyFilters(filters) {
  for (const name of Object.keys(state.filters)) state.filters[name] = filters[name] ?? '';
  $('filters').elements.text.value = state.filters.text;
  setFilter('text', state.filters.text);
}

export function clearFilters() {
  applyFilters({});
}
