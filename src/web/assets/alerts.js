// The page of alerts: what is wrong, who was told and how that went, what comes next, and the buttons to act.
import { actedLately, actions, actUpon, mayAct, you } from './acts.js';
import { CLOCKS, mark, reading, unitOf } from './clocks.js';
import { $, arrange, el, say } from './dom.js';
import { holdLine } from './holds.js';
import { channelName, messageItem } from './messages.js';
import { drawOverlays, startQuieter } from './quiet.js';
import { ask, setOverview, state } from './state.js';
import { pageOf } from './ticket.js';
import { brief, counted, local, serverNow, words } from './time.js';
import { writtenLine } from './written.js';

/** The problems that a component can have. */
const TROUBLES = { outage: 'Outage', budget: 'Downtime budget', objective: 'Objective', certificate: 'Certificate', heartbeat: 'Heartbeat' };
const STAGES = { breached: 'Breached', warning: 'At risk', predicted: 'Likely to breach' };
const OUTAGE_STAGES = { breached: 'Down', warning: 'Degraded' };
const MARKS = { breached: 'breached', warning: 'at_risk', predicted: 'at_risk' };
const CLOSINGS = {
  met: 'met in time', closed_late: 'done, too late', paused: 'clock paused', retargeted: 'due time moved', vanished: 'ticket gone',
  too_early: 'alerted too early: our system clock was ahead', merged: 'ticket merged into another', deleted: 'ticket deleted', sla_removed: 'no due time any more', by_hand: 'resolved by hand',
  unlikely: 'breach no longer likely',
};

/** What to say when a component's problem ends by itself. */
const MENDED = {
  outage: 'up again', budget: 'within its limits again', objective: 'within its limits again', certificate: 'renewed',
  heartbeat: 'heard from again',
};

/** How many requests are sent to the server at once. */
const AT_ONCE = 6;

/** `place` is where somebody moving through the list by keyboard was when their alert left it. */
const page = { state: 'open', sort: 'worst', cards: new Map(), page: null, picked: new Set(), place: 0 };

/** Resolved alerts are not one worse than another. */
const sortNow = () => (page.state === 'resolved' && page.sort === 'worst' ? '-changed' : page.sort);

const overlayLine = (overlay) => el('p', { class: 'overlaid' },
  `${overlay.kind === 'silence' ? 'Silenced' : 'Maintenance'} until ${brief(overlay.until)} (${overlay.author}): ${overlay.reason}`);

function nextWords(alert) {
  if (alert.state === 'resolved') return `Alert ended: ${endWords(alert)}, ${brief(alert.changed_at)}`;
  if (alert.state !== 'open') return null;
  if (alert.in_digest) return 'Overdue when monitoring began: told in the digest, no steps follow';
  if (!alert.next_step_at) return 'No further step: everybody was told';
  const left = (Date.parse(alert.next_step_at) - serverNow()) / 1000;
  const when = left > 0 ? `in ${words(left)}` : alert.overlays.length ? 'when the silence ends' : 'now';
  return `Next: step ${alert.next_step ?? 1} of “${alert.escalation}” ${when}`;
}

/** Says why the alert is over. */
function endWords({ component, clock, closing }) {
  if (component && closing === 'met') return MENDED[clock] ?? 'over';
  if (component && closing === 'vanished') return 'no longer watched';
  return CLOSINGS[closing] ?? closing;
}

/** An outage has begun already; a certificate or a period is yet to end. */
function sinceOrUntil(alert) {
  return Date.parse(alert.due) > serverNow() ? 'until' : 'since';
}

/** The time left or over on its clock, as the ticket shows it. */
function dueWords(alert) {
  if (alert.component) return `${sinceOrUntil(alert)} ${brief(alert.due)}`;
  if (alert.state === 'resolved' || !alert.clock_status) return `due ${brief(alert.due)}`;
  const { figure, word } = reading(alert.clock_status);
  return `${figure} ${word}`.trim();
}

/** When it is due, with a note if that counts working time rather than wall time. */
function dueTitle(alert) {
  if (alert.component) return `${sinceOrUntil(alert)} ${local(alert.due)}`;
  const working = alert.clock_status && !alert.clock_status.round_the_clock;
  return `due ${local(alert.due)}${working ? `; counted in working time: ${alert.clock_status.hours}` : ''}`;
}

/** Lists each person once with the channels that reached them, then counts the messages that reached nobody. */
function toldWords(notifications) {
  const ways = new Map();
  for (const { recipient, channel, state: how } of notifications.filter((one) => one.kind === 'alert' || one.kind === 'digest')) {
    if (!ways.has(recipient)) ways.set(recipient, new Set());
    if (how === 'sent') ways.get(recipient).add(channel === 'email' ? 'email' : channelName(channel));
  }
  const reached = [...ways].filter(([, by]) => by.size).map(([name, by]) => ([...by].join().toLowerCase() === name.toLowerCase() ? name : `${name} (${[...by].join(', ')})`));
  const missed = notifications.filter((one) => one.state === 'failed').length;
  return [reached.length ? `Told: ${reached.join(', ')}` : 'Nobody has been reached yet', missed ? el('span', { class: 'missed' }, ` · ${missed} not delivered`) : ''];
}

function told(alert) {
  if (!alert.notifications.length) return alert.in_digest ? null : el('p', { class: 'muted' }, 'Nobody has been told yet.');
  return el('details', { class: 'told' }, el('summary', {}, toldWords(alert.notifications)), el('ul', { class: 'messages' }, alert.notifications.map((one) => messageItem(one, { link: false }))));
}

const mayPick = (alert) => mayAct() && alert.state === 'open';

function pickBox(alert) {
  if (!mayPick(alert)) return null;
  const box = el('input', { type: 'checkbox', class: 'pick', 'aria-label': `Choose ${alert.display_id ?? alert.ticket_id}`, onchange: () => pick(alert.id, box.checked) });
  box.checked = page.picked.has(alert.id);
  return box;
}

function pick(id, on) {
  if (on) page.picked.add(id); else page.picked.delete(id);
  drawPicked();
}

/** Marks the chosen alerts and says how many they are. */
function drawPicked() {
  if (!$('bulk')) return;
  for (const [id, { card }] of page.cards) {
    card.classList.toggle('is-picked', page.picked.has(id));
    const box = card.querySelector('.pick');
    if (box) box.checked = page.picked.has(id);
  }
  const many = page.picked.size;
  $('bulk').hidden = ![...page.cards.values()].some(({ alert }) => mayPick(alert));
  $('bulk-ack').disabled = !many;
  say($('bulk-ack'), many ? `Acknowledge ${many} chosen` : 'Acknowledge chosen');
}

/** Acknowledges all chosen alerts, a few at a time, and says what failed. */
async function acknowledgePicked() {
  const wanted = [...page.picked];
  const failed = [];
  const next = async () => {
    for (let id = wanted.pop(); id; id = wanted.pop()) {
      await actUpon(id, 'ack').then(() => page.picked.delete(id), (error) => failed.push(error.message));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  drawPicked();
  if (failed.length) say($('note'), `${failed.length} could not be acknowledged: ${failed[0]}`);
  document.dispatchEvent(new Event('acted'));
}

/** What each key does to the current alert. */
const KEYS = {
  x: (card) => card.querySelector('.pick')?.click(),
  a: (card) => (page.picked.size ? acknowledgePicked() : card.querySelector('[data-what=ack]')?.click()),
  s: (card) => card.querySelector('[data-what=snooze]')?.click(),
  o: (card) => card.querySelector('.what a').click(),
};

/** Where a step down or up leads: from the card, or from the gap that a removed card left. */
function placeAfter(step, cards, card) {
  if (card) return cards.indexOf(card) + step;
  const gap = document.activeElement === $('alerts') ? page.place : 0;
  return step > 0 ? gap : gap - 1;
}

function keys(event) {
  if (event.target.closest('input:not(.pick), select, textarea') || event.metaKey || event.ctrlKey || event.altKey) return;
  const cards = [...$('alerts').children];
  const card = event.target.closest?.('.alert') ?? null;
  const step = { j: 1, k: -1 }[event.key];
  if (step) cards[Math.max(0, Math.min(cards.length - 1, placeAfter(step, cards, card)))]?.focus();
  else if (card && KEYS[event.key] && !event.repeat) KEYS[event.key](card);
  else return;
  event.preventDefault();
}

function startBulk() {
  if (!$('bulk')) return;
  $('bulk-ack').addEventListener('click', acknowledgePicked);
  $('bulk-all').addEventListener('click', () => {
    const open = [...page.cards.values()].filter(({ alert }) => mayPick(alert)).map(({ alert }) => alert.id);
    const all = open.every((id) => page.picked.has(id));
    for (const id of open) if (all) page.picked.delete(id); else page.picked.add(id);
    drawPicked();
  });
}

function makeCard(alert) {
  const owner = alert.component ? null : alert.technician ?? 'unassigned';
  const parts = [CLOCKS[alert.clock] ?? TROUBLES[alert.clock] ?? alert.clock, alert.client ?? 'no client', alert.priority, owner, state.overview.tenants.length > 1 ? alert.tenant : null];
  return el('li', { class: `alert ${alert.stage} is-${alert.state}`, tabindex: '-1' },
    el('div', { class: 'alert-top' },
      el('span', { class: 'badge' }, pickBox(alert), mark(MARKS[alert.stage]), (alert.clock === 'outage' ? OUTAGE_STAGES : STAGES)[alert.stage]),
      el('span', {}, el('b', { class: 'due', title: dueTitle(alert) }, dueWords(alert)), el('span', { class: 'unit' }, alert.state === 'resolved' || alert.component ? '' : unitOf(alert.clock_status)))),
    el('p', { class: 'what' }, el('a', { dir: 'auto', title: alert.subject, href: alert.component ? `/services/${encodeURIComponent(alert.component)}` : pageOf(alert.tenant, alert.ticket_id) },
      el('span', { class: 'id' }, alert.display_id ?? alert.ticket_id), ' ', alert.subject ?? '')),
    el('p', { class: 'muted' }, parts.filter(Boolean).join(' · ')),
    el('p', { class: 'muted' }, `Told because ${alert.reason}`),
    holdLine(alert.hold), alert.overlays.map(overlayLine),
    el('p', { class: 'next' }, nextWords(alert) ?? ''),
    told(alert), writtenLine(alert), actions(alert));
}

/** Carries what was opened and chosen in the old card over to the new one. */
function takeOver(old, card) {
  for (const [what, how] of [['details', 'open'], ['select', 'value']]) {
    const [before, now] = [old.querySelector(what), card.querySelector(what)];
    if (before && now) now[how] = before[how];
  }
}

/** Rebuilds a card only when its alert changed: nobody loses an opened list or a button under the finger. */
function drawCard(alert) {
  const { standing, due, counting } = alert.clock_status ?? {};
  const signature = JSON.stringify({ ...alert, clock_status: { standing, due, counting } });
  const known = page.cards.get(alert.id);
  if (known?.signature === signature) {
    known.alert = alert;
    return known.card;
  }
  const card = makeCard(alert);
  if (known) takeOver(known.card, card);
  page.cards.set(alert.id, { signature, card, alert });
  return card;
}

/** The focused element, its alert, and its place in the list; null if the focus is elsewhere. */
function focusNow() {
  const focused = document.activeElement;
  const [id, known] = [...page.cards].find(([, { card }]) => card.contains(focused)) ?? [];
  return known ? { focused, id, at: [...$('alerts').children].indexOf(known.card) } : null;
}

/** The same button, list or link in a rebuilt card; the card itself if it has none. */
function sameIn(card, focused) {
  const { what } = focused.dataset;
  return (focused.matches('.alert') ? null : card.querySelector(what ? `[data-what=${what}]` : focused.localName)) ?? card;
}

/**
 * Keeps the focus on its alert, wherever that moves. It goes to the next alert only if this one was acknowledged here.
 * If the alert left the list for another reason, no alert gets the focus, so that no key acts on one that nobody chose.
 */
function keepFocus({ focused, id, at }) {
  if (document.activeElement === focused) return;
  const { card, alert } = page.cards.get(id);
  const cards = $('alerts').children;
  const isDone = actedLately(id) && (alert.state !== 'open' || !card.isConnected);
  if (isDone && cards.length) return void cards[Math.min(at, cards.length - 1)].focus();
  if (card.isConnected) return void sameIn(card, focused).focus();
  page.place = at;
  $('alerts').focus({ preventScroll: true });
}

function draw() {
  const { alerts, total } = page.page;
  const before = focusNow();
  arrange($('alerts'), alerts.map(drawCard));
  if (before) keepFocus(before);
  const shown = new Set(alerts.map((alert) => alert.id));
  for (const id of page.cards.keys()) if (!shown.has(id)) page.cards.delete(id);
  for (const id of page.picked) if (!shown.has(id) || page.cards.get(id).alert.state !== 'open') page.picked.delete(id);
  drawPicked();
  const words = { open: 'open', acknowledged: 'acknowledged', resolved: 'resolved' }[page.state];
  const left = document.activeElement === $('alerts') ? ' The alert you were at has left this list.' : '';
  say($('note'), (total > alerts.length ? `The first ${alerts.length} of ${total} ${words} alerts.` : `${counted(total, `${words} alert`)}.`) + left);
  $('empty').hidden = total > 0;
  say($('empty'), page.state === 'open' ? 'No alert is open.' : `No alert is ${words}.`);
  if (page.state === 'open') document.title = total ? `(${total}) Alerts · SLA watch` : 'Alerts · SLA watch';
}

/** Sums up this week's alerts over all tenants. */
function drawWeek({ now, weeks }) {
  const current = weeks.filter((week) => Date.parse(now) - Date.parse(week.from) < 7 * 86400000);
  const sum = (name) => current.reduce((total, week) => total + week[name], 0);
  say($('week'), current.length ? `This week: ${counted(sum('alerts'), 'alert')} told in ${counted(sum('messages'), 'message')}, ${sum('acknowledged')} acknowledged, `
    + `${sum('acted_before_breach')} acted upon before the breach, ${sum('ignored')} ignored.` : '');
}

export function tickAlerts() {
  for (const { card, alert } of page.cards.values()) {
    say(card.querySelector('.due'), dueWords(alert));
    say(card.querySelector('.next'), nextWords(alert) ?? '');
  }
}

export async function readAlerts(overview) {
  const asked = page.state;
  const sort = sortNow();
  const [now, alerts, { silences }, { maintenance_windows: windows }, weekly] = await Promise.all([
    overview, ask(`/api/v1/alerts?limit=200&state=${asked}&sort=${sort}`), ask('/api/v1/silences'), ask('/api/v1/maintenance-windows'), ask('/api/v1/alerts/weekly?weeks=1'),
  ]);
  if (asked !== page.state || sort !== sortNow()) return;
  setOverview(now);
  for (const { clock_status: clock } of alerts.alerts) if (clock) clock.asOf = Date.parse(alerts.now);
  page.page = alerts;
  draw();
  drawWeek(weekly);
  drawOverlays([...silences, ...windows], state.overview.tenants);
}

/** Shows which alerts are asked for, and in which order. */
function drawAsked() {
  for (const button of $('states').children) button.setAttribute('aria-pressed', String(button.dataset.state === page.state));
  for (const option of $('order').options) option.hidden = option.value === 'worst' && page.state === 'resolved';
  $('order').value = sortNow();
}

/** Takes what is asked for from the address, where it outlasts a reload. */
function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const known = (list, wanted, otherwise) => (list.includes(wanted) ? wanted : otherwise);
  page.state = known([...$('states').children].map((one) => one.dataset.state), asked.get('state'), 'open');
  page.sort = known([...$('order').options].map((one) => one.value), asked.get('sort'), 'worst');
  drawAsked();
}

function startAsking(again) {
  const change = (asked) => {
    Object.assign(page, asked);
    const usual = { state: 'open', sort: 'worst' };
    const unusual = Object.keys(usual).filter((name) => page[name] !== usual[name]).map((name) => [name, page[name]]);
    history.replaceState(null, '', unusual.length ? `#${new URLSearchParams(unusual)}` : location.pathname + location.search);
    drawAsked();
    again();
  };
  readAddress();
  addEventListener('hashchange', () => {
    readAddress();
    again();
  });
  for (const button of $('states').children) button.addEventListener('click', () => change({ state: button.dataset.state }));
  $('order').addEventListener('change', () => change({ sort: $('order').value }));
}

export function startAlerts(again) {
  startAsking(again);
  if ($('you')) {
    $('you').value = localStorage.getItem('you') ?? '';
    $('you').addEventListener('change', () => localStorage.setItem('you', $('you').value.trim()));
  }
  document.addEventListener('keydown', keys);
  startBulk();
  startQuieter(you);
}
