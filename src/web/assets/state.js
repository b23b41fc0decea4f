// What the page knows: the latest answers, the filters, and what follows from both.
import { isWriting } from './refresh.js';
import { serverNow, setTime, setZone, time } from './time.js';

export const POLL = { wall: 5000, demo: 2000 };
export const PAGE_SIZE = 500;
/** How a ticket without a technician, a client or a priority is shown, chosen and asked for. */
export const NONE = '—';
/** How a field without a value is shown. */
export const noneOf = (name) => (name === 'technician' ? 'Unassigned' : NONE);

export const state = {
  tickets: [], total: 0, matching: 0, narrowed: '', counts: {}, choices: {}, overview: null, messages: null, caught: null, differences: null,
  answeredAt: performance.now(), poll: POLL.wall,
  filters: { text: '', tenant: '', client: '', technician: '', priority: '', standing: '' },
  seen: { tenant: new Set(), client: new Set(), technician: new Set(), priority: new Set() },
  readAt: -Infinity, open: null, signedOut: false,
};

/** What to do about the end of a session; its words are for people, unlike those of the answer. */
const SIGNED_OUT = 'You have been signed out: sign in again in another tab, then do it again';

export const keyOf = (ticket) => `${ticket.tenant}/${ticket.ticket_id}`;

/** Leads to the login page, unless that would cost somebody what they are typing: then the page says so. */
function signIn() {
  state.signedOut = isWriting();
  if (!state.signedOut) location.assign(`/login?${new URLSearchParams({ next: location.pathname + location.search + location.hash })}`);
}

export async function ask(path) {
  const answer = await fetch(path, { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(10000) });
  if (answer.status === 401) signIn();
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  state.signedOut = false;
  // An answer that the browser had already is from another moment: a header tells the current time.
  const now = answer.headers.get('x-now');
  if (now) setTime(now);
  return answer.json();
}

/** Changes something; the error says what the server found wrong. */
export async function send(method, path, body) {
  const answer = await fetch(path, {
    method, headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(10000),
  });
  if (answer.status === 401) throw new Error(SIGNED_OUT);
  const found = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.detail ?? `the server answers ${answer.status}`);
  return found;
}

/** What the server is to filter by: the page filters the tickets it holds, unless it cannot hold all of them. */
export function narrowing() {
  const chosen = Object.entries(state.filters).filter(([, text]) => text);
  return state.total > PAGE_SIZE ? String(new URLSearchParams(chosen)) : '';
}

export function ticketsPath() {
  const query = new URLSearchParams(narrowing());
  query.set('limit', PAGE_SIZE);
  // A page that does not hold all tickets has to be told by what they can be filtered.
  if (state.total > PAGE_SIZE) query.set('choices', true);
  return `/api/v1/tickets?${query}`;
}

/** Notes on each clock of a ticket the moment at which it was read. */
export function date(ticket, now) {
  for (const clock of ticket.clocks) clock.asOf = now;
}

/** Takes in an answer of the server, which has filtered by `narrowed`. */
export function learn(page, narrowed) {
  const now = Date.parse(page.now);
  for (const tenant of state.overview.tenants) state.seen.tenant.add(tenant.tenant);
  for (const ticket of page.tickets) {
    date(ticket, now);
    for (const name of Object.keys(state.seen)) if (ticket[name]) state.seen[name].add(ticket[name]);
  }
  state.choices = page.choices ?? {};
  for (const [name, words] of Object.entries(state.choices)) {
    for (const word of words) if (word !== NONE) state.seen[name].add(word);
  }
  state.tickets = page.tickets;
  state.counts = page.counts;
  state.narrowed = narrowed;
  state.matching = page.total;
  // The number that the server's filters leave says nothing of how many there are in all.
  state.total = state.total > PAGE_SIZE ? state.overview.open : page.total;
}

/** Working seconds left: they pass only while the server says that the clock counts. */
export function remainingNow(clock) {
  if (clock.remaining === null || clock.remaining === undefined) return null;
  const passed = clock.counting ? Math.max(0, serverNow() - clock.asOf) / 1000 : 0;
  const left = clock.remaining - passed;
  // Only the server says that a clock has breached; until then it is due now.
  return clock.remaining >= 0 && left < 0 ? 0 : left;
}

export function matches(ticket, { standing } = state.filters) {
  const { text, tenant, client, technician, priority } = state.filters;
  const same = (wanted, found) => !wanted || (found ?? NONE) === wanted;
  const haystack = [ticket.display_id, ticket.ticket_id, ticket.subject, ticket.client, ticket.technician, ticket.group,
    ticket.status, ticket.priority, ticket.sla_policy].join(' ').toLowerCase();
  return same(tenant, ticket.tenant) && same(client, ticket.client) && same(technician, ticket.technician)
    && same(priority, ticket.priority) && (!standing || ticket.standing === standing)
    && text.toLowerCase().split(/\s+/).every((word) => haystack.includes(word));
}

export function setOverview(overview) {
  state.overview = overview;
  state.poll = overview.speed > 1 ? POLL.demo : POLL.wall;
  time.frozen = false;
  const only = document.getElementById('ticket')?.dataset.tenant;
  setZone(overview.tenants.filter(({ tenant }) => !only || tenant === only).map(({ timezone }) => timezone));
  time.speed = overview.speed;
}
