// One ticket: in the drawer beside the table, and on its own page.
import { actions } from './acts.js';
import { CLOCKS, clockCard, facts } from './clocks.js';
import { $, el, refill } from './dom.js';
import { holdLine } from './holds.js';
import { ledgerSection } from './ledger.js';
import { messageItem } from './messages.js';
import { ask, date, noneOf, setOverview, state } from './state.js';
import { local, serverNow, time } from './time.js';
import { writtenSection } from './written.js';

export const pageOf = (tenant, id) => `/tickets/${encodeURIComponent(tenant)}/${encodeURIComponent(id)}`;

/** Only web addresses become links, because the text comes from the configuration and from outside. */
function superopsLink(ticket) {
  return /^https?:\/\//.test(ticket.superops_url ?? '')
    ? el('a', { class: 'button', href: ticket.superops_url, target: '_blank', rel: 'noopener noreferrer' }, 'Open in SuperOps ↗') : '';
}

function ticketView({ ticket, messages, ledger, alerts, picture }, heading, links) {
  const doubts = [...ticket.overrides.map(byHand), ...ticket.discrepancies, ...ticket.flaws];
  const clocks = ticket.clocks.map(clockCard);
  const view = [
    el('header', {}, el(heading, { dir: 'auto' }, el('span', { class: 'id' }, ticket.display_id), ' ', ticket.subject || '(no subject)'),
      el('p', { class: 'muted' }, [ticket.client ?? 'No client', ticket.status, ticket.priority && `${ticket.priority} priority`].filter(Boolean).join(' · ')),
      ticket.held.map((hold) => holdLine(hold, CLOCKS[hold.clock])),
      el('p', { class: 'links' }, superopsLink(ticket), links)),
    el('div', { class: 'cards' }, clocks),
    doubts.length ? el('section', { class: 'doubts' }, el('h3', {}, 'Worth knowing'), el('ul', {}, doubts.map((line) => el('li', {}, line)))) : '',
    alertSection(alerts),
    forecastSection(ticket.clocks),
    pictureSection(picture),
    ledgerSection(ledger),
    el('section', {}, el('h3', {}, 'Ticket'), el('dl', {}, facts({
      Technician: ticket.technician ?? noneOf('technician'), Group: ticket.group, SLA: ticket.sla_policy ?? 'none',
      Risk: [ticket.breach_risk_level.toLowerCase(), ticket.breach_probability !== null && `${Math.round(ticket.breach_probability * 100)} % likely to breach`].filter(Boolean).join(', '),
      Policy: ticket.policy && policyWords(ticket.policy),
      Tenant: ticket.tenant, 'Last read': local(ticket.last_updated),
    }))),
    el('section', {}, el('h3', {}, 'Who was told'),
      messages.length ? el('ul', { class: 'messages' }, messages.map((message) => messageItem(message, { link: false })))
        : el('p', { class: 'muted' }, 'Nobody so far.')),
    writtenSection(alerts),
  ];
  return { view, tick: () => clocks.forEach((card) => card.tick()) };
}

const STAGES = { breached: 'Breached', warning: 'At risk', predicted: 'Likely to breach' };

/** The alerts that are not over, each with the buttons to act on it. */
function alertSection(alerts) {
  const open = alerts.filter((alert) => alert.state !== 'resolved');
  if (!open.length) return '';
  const card = (alert) => el('div', { class: `alert ${alert.stage} is-${alert.state}` },
    el('p', {}, el('b', {}, `${STAGES[alert.stage] ?? alert.stage}: `), `${(CLOCKS[alert.clock] ?? alert.clock).toLowerCase()}, raised ${local(alert.raised_at)}`),
    holdLine(alert.hold), actions(alert));
  return el('section', {}, el('h3', {}, 'Alerts'), open.map(card));
}

/** The picture of the clocks as the server drew it; the server has escaped its text. */
function pictureSection(picture) {
  const figure = picture && new DOMParser().parseFromString(picture, 'text/html').querySelector('figure');
  return figure ? el('section', {}, el('h3', {}, 'Timeline'), figure) : '';
}

async function fetchPicture(tenant, id) {
  const answer = await fetch(`${pageOf(tenant, id)}/timeline`, { signal: AbortSignal.timeout(10000) }).catch(() => null);
  return answer?.ok && !answer.redirected ? answer.text() : null;
}

/** What a person decided about a clock. */
function byHand({ clock, ruling, time: at, by, reason }) {
  const what = { due: 'due time set to', stopped_at: 'stopped as of', cancelled: 'cancelled' }[ruling];
  return `${clock.replace('_', ' ')} ${what} ${at ? local(at) : ''} by ${by}: ${reason}`;
}

/** How likely each clock is to breach, when it will probably be done, and why we think so. */
function forecastSection(clocks) {
  const foreseen = clocks.filter((clock) => clock.forecast);
  if (!foreseen.length) return '';
  const card = ({ clock, forecast: { probability, likely, reasons, outcomes, since, basis, relied_on } }) => el('div', {},
    el('p', {}, `${clock.replace('_', ' ')}: ${Math.round(probability * 100)} % likely to breach`,
      likely?.median_at ? `; likely done ${local(likely.median_at)}, between ${local(likely.earliest_at)} and ${likely.latest_at ? local(likely.latest_at) : 'much later'}` : ''),
    relied_on ? '' : el('p', {}, 'Not relied on: risk and alerts go by the clock alone.'),
    el('ul', {}, reasons.map((reason) => el('li', {}, reason))),
    el('p', { class: 'muted' }, basis === 'learned' ? `From ${outcomes} outcomes since ${local(since)}` : `Only how long such tickets stay open is known yet (${outcomes} outcomes)`));
  return el('section', {}, el('h3', {}, 'Forecast'), foreseen.map(card));
}

/** Which of our own policies applies, and which would apply without it. */
function policyWords({ choice, version }) {
  const parts = [choice, version && `version ${version}`];
  return parts.filter(Boolean).join(', ');
}

async function fetchTicket(tenant, id) {
  const within = new URLSearchParams({ tenant });
  const [ticket, { messages }, ledger, { alerts }, picture] = await Promise.all([
    ask(`/api/v1/tickets/${encodeURIComponent(id)}/sla?${within}`),
    ask(`/api/v1/messages?${new URLSearchParams({ tenant, ticket: id })}`),
    ask(`/api/v1/tickets/${encodeURIComponent(id)}/ledger?${within}`),
    ask(`/api/v1/alerts?${new URLSearchParams({ tenant, ticket: id, state: 'all' })}`),
    fetchPicture(tenant, id),
  ]);
  return { ticket, messages, ledger, alerts, picture };
}

/** A plain click opens the drawer; any other opens the page, as links do. */
export function openFrom(event, { tenant, ticket_id: id }) {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (getSelection().toString() && !event.target.closest('a')) return;
  event.preventDefault();
  event.stopPropagation();
  state.open = { tenant, id };
  history.pushState({ drawer: true }, '');
  drawDrawer().catch(() => location.replace(pageOf(tenant, id)));
}

export async function drawDrawer() {
  const { tenant, id } = state.open;
  const found = await fetchTicket(tenant, id);
  if (state.open?.id !== id) return;
  date(found.ticket, serverNow());
  const { view, tick } = ticketView(found, 'h2', el('a', { class: 'button', href: pageOf(tenant, id) }, 'Full page'));
  state.open.tick = tick;
  refill($('opened'), view);
  if (!$('drawer').open) $('drawer').showModal();
}

export async function drawTicketPage(overview) {
  const page = $('ticket');
  const [now, found] = await Promise.all([overview, fetchTicket(page.dataset.tenant, page.dataset.id)]);
  setOverview(now);
  date(found.ticket, time.at);
  const { view, tick } = ticketView(found, 'h1', '');
  state.open = { id: page.dataset.id, tick };
  refill(page, view);
}
