// The table of open tickets: worst first, and steady while somebody reads it.
import { CLOCKS, clockCell, unitOf } from './clocks.js';
import { $, arrange, el, say } from './dom.js';
import { clearFilters } from './head.js';
import { holdWords } from './holds.js';
import { keyOf, matches, narrowing, noneOf, PAGE_SIZE, state } from './state.js';
import { openFrom, pageOf } from './ticket.js';
import { counted } from './time.js';

/** How long after the last move the rows keep their order, in milliseconds. */
const HOLD = 8000;

export const rows = new Map();

/** The facts shown above each other in the last two columns. */
const FACTS = [['technician', 'status'], ['priority', 'sla_policy']];

function showFact(fact, name, value) {
  say(fact, value ?? noneOf(name));
  fact.title = value ?? '';
  fact.classList.toggle('none', !value);
}

function makeRow(ticket) {
  const link = el('a', { class: 'subject', dir: 'auto', href: pageOf(ticket.tenant, ticket.ticket_id) });
  const about = el('span', { class: 'about' });
  const hold = el('span', { class: 'held' });
  const clocks = Object.keys(CLOCKS).map(clockCell);
  const facts = FACTS.flat().map((name) => el('span', { class: `fact ${name}` }));
  const cells = [el('td', { class: 'who' }, facts.slice(0, 2)), el('td', { class: 'how' }, facts.slice(2))];
  const row = el('tr', { onclick: (event) => openFrom(event, row.ticket) }, el('td', { class: 'what' }, link, about, hold), clocks, cells);
  row.show = (now) => {
    row.ticket = now;
    row.className = `standing-${now.standing}`;
    say(link, now.subject || '(no subject)');
    link.title = now.subject;
    say(about, [now.display_id, now.client ?? 'No client', state.seen.tenant.size > 1 && now.tenant].filter(Boolean).join(' · '));
    clocks.forEach((cell) => cell.show(now.clocks.find((clock) => clock.clock === cell.kind)));
    facts.forEach((fact, i) => showFact(fact, FACTS.flat()[i], now[FACTS.flat()[i]]));
    say(hold, holdWords(now.held));
    facts[2].dataset.level = (now.priority ?? '').toLowerCase();
  };
  row.tick = () => clocks.forEach((cell) => cell.tick());
  return row;
}

/** Whether rows keep their order because somebody moves among them, by pointer or by keyboard. */
function held() {
  const among = $('rows').matches(':hover') || $('rows').contains(document.activeElement);
  return among && performance.now() - state.readAt < HOLD;
}

/** The third clock has a column only if some policy asks for it. */
const asksNext = (ticket) => ticket.clocks.some((clock) => clock.clock === 'next_response');

export function drawTable({ force = false } = {}) {
  $('table').classList.toggle('asks-next', state.tickets.some(asksNext));
  const wanted = state.tickets.filter((ticket) => matches(ticket));
  const body = $('rows');
  for (const ticket of wanted) {
    const key = keyOf(ticket);
    if (!rows.has(key)) rows.set(key, makeRow(ticket));
    rows.get(key).show(ticket);
  }
  const order = wanted.map((ticket) => rows.get(keyOf(ticket)));
  const shown = [...body.children];
  const differs = order.length !== shown.length || order.some((row, i) => row !== shown[i]);
  if (differs && !force && held()) {
    for (const row of shown) row.classList.toggle('gone', !order.includes(row));
    return note('The order has changed; it is kept while you read.');
  }
  if (differs) arrange(body, order);
  for (const [key, row] of rows) if (!row.isConnected) rows.delete(key);
  note('');
}

/** How many tickets are shown of how many. Only the server knows how many match if the page does not hold them all. */
function countWords(shown, filtered, isPending) {
  const { tickets, total, matching } = state;
  if (isPending) return 'filtering…';
  if (filtered && total > PAGE_SIZE && matching > shown) return `The worst ${shown} of ${matching} that match`;
  if (filtered) return `${shown} of ${counted(total, 'open ticket')}`;
  return total > tickets.length ? `The worst ${tickets.length} of ${total} open tickets` : `${counted(total, 'open ticket')}, worst first`;
}

function note(held) {
  const { tickets, total } = state;
  const shown = tickets.filter((ticket) => matches(ticket)).length;
  const filtered = Object.values(state.filters).some(Boolean);
  const isPending = narrowing() !== state.narrowed;
  const working = tickets.some((ticket) => ticket.clocks.some(unitOf)) && 'times left and over are working time';
  say($('note'), [total ? countWords(shown, filtered, isPending) : '', working, held].filter(Boolean).join(' · '));
  drawEmpty(shown, filtered, isPending);
}

/** An empty desk is good news only if it could be read. */
function emptiness(tenants) {
  if (tenants.some(({ trouble }) => trouble)) return ['No open tickets are known', 'But not everything could be read; see above.'];
  if (tenants.every((tenant) => tenant.last_good_sync)) return ['No open tickets', 'The desk is clear. New tickets appear here by themselves.'];
  return ['Reading the tickets', 'The first read from SuperOps is under way; they appear here by themselves.'];
}

function drawEmpty(shown, filtered, isPending) {
  $('table').hidden = shown === 0;
  $('empty').hidden = shown !== 0;
  if (shown) return;
  const [title, text] = isPending ? ['Filtering', 'All open tickets are looked through.'] : filtered ? ['No ticket matches', 'No open ticket matches these filters.'] : emptiness(state.overview.tenants);
  $('empty').replaceChildren(el('b', {}, title), el('p', {}, text),
    filtered ? el('button', { type: 'button', onclick: () => clearFilters() }, 'Show all') : '');
}
