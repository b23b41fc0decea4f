// The page: asks the API every few seconds, counts down in between, and says when its data is out of date.
import { readAlerts, startAlerts, tickAlerts } from './alerts.js';
import { readDay } from './day.js';
import { $ } from './dom.js';
import { drawHealth, drawNow, drawStale } from './freshness.js';
import { applyFilters, clearFilters, drawFilters, drawTiles, setFilter } from './head.js';
import { drawDifferences, readDifferences } from './ledger.js';
import { drawMessages, makeViews, messagesPath } from './messages.js';
import { live, listen } from './live.js';
import { refresh } from './refresh.js';
import { drawSaved, startSaved } from './saved.js';
import { ask, learn, narrowing, PAGE_SIZE, setOverview, state, ticketsPath } from './state.js';
import { drawTable, rows } from './table.js';
import { drawDrawer, drawTicketPage } from './ticket.js';

function drawDesk(how) {
  drawTiles();
  drawFilters();
  drawSaved();
  drawTable(how);
  drawMessages();
  drawDifferences();
}

/** Fetches everything before showing any of it, so that one failed answer leaves no half-fresh page. */
async function readDesk(overview) {
  const caught = document.querySelector('.desk').dataset.caught === 'true';
  const [path, narrowed] = [ticketsPath(), narrowing()];
  const [now, page, { messages }, caughtNow] = await Promise.all([
    overview, ask(path), ask(messagesPath()), caught ? ask('/api/v1/demo/messages') : null,
    readDifferences(),
  ]);
  setOverview(now);
  learn(page, narrowed);
  // Only the answer tells whether the page can hold all tickets, or the server must filter them.
  if (path !== ticketsPath()) poll.soon();
  state.messages = messages;
  state.caught = Array.isArray(caughtNow) ? caughtNow : caughtNow?.messages ?? null;
  drawDesk();
  readDay();
  if (state.open && $('drawer').open) await drawDrawer();
}

/** The server renders the rest of such a page; its head is kept fresh even if the rest cannot be read. */
async function readPage(overview) {
  const failed = refresh().then(() => null, (error) => error);
  setOverview(await overview);
  const error = await failed;
  if (error) throw error;
}

/** A report stays as requested; only its head is kept fresh. */
async function readHead(overview) {
  setOverview(await overview);
}

/** How to read the rest of each kind of page. */
const READS = { dashboard: readDesk, ticket: drawTicketPage, alerts: readAlerts, made: readPage, reports: readHead };

async function turn() {
  const overview = ask('/api/v1/overview');
  await READS[document.body.dataset.page](overview);
  state.answeredAt = performance.now();
  drawHealth();
}

/** Milliseconds. While the stream reports changes, polling is only a safeguard; many changes cause one read. */
const SURE = 15000;
const SETTLE = 250;
const APART = 1000;

const poll = {
  timer: 0,
  busy: false,
  again: false,
  endedAt: -Infinity,
  async now() {
    clearTimeout(poll.timer);
    if (poll.busy) return void (poll.again = true);
    poll.busy = true;
    poll.again = false;
    await turn().catch(() => {});
    poll.busy = false;
    poll.endedAt = performance.now();
    drawStale();
    poll.timer = setTimeout(poll.now, poll.again ? APART : live.on ? SURE : state.poll);
  },
  /** Polls soon because something changed. */
  soon() {
    if (poll.busy) return void (poll.again = true);
    clearTimeout(poll.timer);
    poll.timer = setTimeout(poll.now, Math.max(SETTLE, poll.endedAt + APART - performance.now()));
  },
};

function tick() {
  drawStale();
  drawNow();
  if (state.overview) drawHealth();
  for (const row of rows.values()) row.tick();
  state.open?.tick?.();
  tickAlerts();
}

/** Escape first empties the search box and its filter, then leaves it. */
function leave(event) {
  const { target } = event;
  if (target.name !== 'text' || !target.value) return target.blur();
  event.preventDefault();
  target.value = '';
  return setFilter('text', '');
}

function keys(event) {
  const typing = event.target.closest('input, select, textarea');
  if (event.key === '/' && !typing) {
    event.preventDefault();
    $('filters').elements.text.focus();
  }
  if (event.key === 'Escape' && typing && !event.isComposing) leave(event);
  const row = event.target.closest?.('#rows tr');
  const next = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling', j: 'nextElementSibling', k: 'previousElementSibling' }[event.key];
  if (!row || !next) return;
  event.preventDefault();
  row[next]?.querySelector('a').focus();
}

/** The filters that the address names. */
const filtersOfAddress = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

function startDesk() {
  const form = $('filters');
  for (const [name, value] of Object.entries(filtersOfAddress())) if (name in state.filters) state.filters[name] = value;
  form.elements.text.value = state.filters.text;
  // A link with filters may be opened where the desk is shown already.
  addEventListener('hashchange', () => applyFilters(filtersOfAddress()));
  form.addEventListener('input', (event) => { if (event.target.name) setFilter(event.target.name, event.target.value.trim()); });
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', () => clearFilters());
  for (const move of ['pointermove', 'keydown']) $('rows').addEventListener(move, () => { state.readAt = performance.now(); });
  $('rows').addEventListener('pointerleave', () => drawTable());
  $('drawer').addEventListener('close', () => {
    state.open = null;
    if (history.state?.drawer) history.back();
  });
  // The Back button also closes it.
  addEventListener('popstate', () => {
    state.open = null;
    $('drawer').close();
  });
  $('drawer').addEventListener('click', (event) => { if (event.target.matches('.drawer, .close')) $('drawer').close(); });
  document.addEventListener('keydown', keys);
  document.addEventListener('filtered', () => {
    drawDesk({ force: true });
    if (state.total > PAGE_SIZE) poll.now();
  });
  startSaved();
  makeViews(document.querySelector('.desk'));
}

/**
 * A link in a mail may lead here although the browser holds a good cookie: it withholds the cookie when another site
 * leads to us, and sends it when our own page does. Without a good cookie we come back here, and stay.
 */
function skipLogin() {
  location.replace(document.querySelector('input[name=next]').value);
}

/** What follows `#` in an address reaches no server, but stays in it when we are led to the login page. */
function keepFragment() {
  const next = document.querySelector('input[name=next]');
  if (!next || next.value.includes('#')) return;
  next.value += location.hash;
  const provider = document.querySelector('a.enter');
  if (provider) provider.search = new URLSearchParams({ next: next.value });
}

/** Reloading a page that answered a form would send the form again. This makes the browser ask for the page instead. */
function forgetForm() {
  history.replaceState(history.state, '', location.href);
}

keepFragment();
forgetForm();
if (document.body.dataset.page === 'login') skipLogin();
if (document.body.dataset.page === 'dashboard') startDesk();
if (document.body.dataset.page === 'alerts') startAlerts(() => poll.now());
if (document.body.dataset.page in READS) {
  poll.now();
  listen(poll.soon);
  document.addEventListener('acted', () => poll.now());
  setInterval(tick, 1000);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) poll.now(); });
}
