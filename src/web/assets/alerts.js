// The page of alerts: what is wrong, who was told and how that went, what comes next, and the buttons to act.
import { CLOCKS, mark, reading, unitOf } from './clocks.js';
import { $, el, say } from './dom.js';
import { holdLine } from './holds.js';
import { channelName, messageItem } from './messages.js';
import { drawOverlays, startQuieter } from './quiet.js';
import { ask, send, setOverview, state } from './state.js';
import { pageOf } from './ticket.js';
import { brief, counted, local, serverNow, setTime, words } from './time.js';
import { writtenLine } from './written.js';

const STAGES = { breached: 'Breached', warning: 'At risk', predicted: 'Likely to breach' };
const MARKS = { breached: 'breached', warning: 'at_risk', predicted: 'at_risk' };
const CLOSINGS = {
  met: 'met in time', closed_late: 'done, too late', paused: 'clock paused', retargeted: 'due time moved', vanished: 'ticket gone',
  merged: 'ticket merged into another', deleted: 'ticket deleted', sla_removed: 'no due time any more', by_hand: 'resolved by hand',
  unlikely: 'breach no longer likely',
};
const SNOOZES = [['15m', '15 min'], ['30m', '30 min'], ['1h', '1 h'], ['4h', '4 h'], ['1d', '1 day']];

const page = { state: 'open', cards: new Map(), page: null };

/** Who acts: a token may serve several people. */
const you = () => $('you')?.value.trim() || undefined;

async function act(alert, what, more = {}) {
  const answer = await send('POST', `/api/v1/alerts/${alert.id}/${what}`, { by: you(), ...more }).catch((error) => ({ error }));
  if (answer.error) return void say($('note'), `That could not be done: ${answer.error.message}`);
  document.dispatchEvent(new Event('acted'));
}

function actions(alert) {
  if ($('alerting').dataset.mayAct !== 'true' || alert.state === 'resolved') return null;
  const button = (label, what, more) => el('button', { type: 'button', onclick: () => act(alert, what, more?.()) }, label);
  const length = el('select', { 'aria-label': 'Snooze for' }, SNOOZES.map(([value, label]) => el('option', { value }, label)));
  return el('div', { class: 'actions' },
    alert.state === 'acknowledged' ? null : button('Acknowledge', 'ack'),
    el('span', { class: 'joined' }, button('Snooze', 'snooze', () => ({ for: length.value })), length),
    button('Escalate now', 'escalate'),
    button('Resolve', 'resolve'));
}

const overlayLine = (overlay) => el('p', { class: 'overlaid' },
  `${overlay.kind === 'silence' ? 'Silenced' : 'Maintenance'} until ${brief(overlay.until)} (${overlay.author}): ${overlay.reason}`);

function nextWords(alert) {
  if (alert.state === 'resolved') return `Alert ended: ${CLOSINGS[alert.closing] ?? alert.closing}, ${brief(alert.changed_at)}`;
  if (alert.state !== 'open') return null;
  if (alert.in_digest) return 'Overdue when monitoring began: told in the digest, no steps follow';
  if (!alert.next_step_at) return 'No further step: everybody was told';
  const left = (Date.parse(alert.next_step_at) - serverNow()) / 1000;
  const when = left > 0 ? `in ${words(left)}` : alert.overlays.length ? 'when the silence ends' : 'now';
  return `Next: step ${alert.next_step ?? 1} of “${alert.escalation}” ${when}`;
}

/** The time of its clock, as the ticket shows it. */
function dueWords(alert) {
  if (alert.state === 'resolved' || !alert.clock_status) return `due ${brief(alert.due)}`;
  const { figure, word } = reading(alert.clock_status);
  return `${figure} ${word}`.trim();
}

/** When it is due, and that its time is working time where that is not the same. */
function dueTitle(alert) {
  const working = alert.clock_status && !alert.clock_status.round_the_clock;
  return `due ${local(alert.due)}${working ? `; counted in working time: ${alert.clock_status.hours}` : ''}`;
}

/** Each person once, with the ways that reached them; then what reached nobody. */
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

function makeCard(alert) {
  const parts = [CLOCKS[alert.clock] ?? alert.clock, alert.client ?? 'no client', alert.priority, alert.technician ?? 'unassigned'];
  return el('li', { class: `alert ${alert.stage} is-${alert.state}` },
    el('div', { class: 'alert-top' },
      el('span', { class: 'badge' }, mark(MARKS[alert.stage]), STAGES[alert.stage]),
      el('span', {}, el('b', { class: 'due', title: dueTitle(alert) }, dueWords(alert)), el('span', { class: 'unit' }, alert.state === 'resolved' ? '' : unitOf(alert.clock_status)))),
    el('p', { class: 'what' }, el('a', { href: pageOf(alert.tenant, alert.ticket_id) },
      el('span', { class: 'id' }, alert.display_id ?? alert.ticket_id), ' ', alert.subject ?? '')),
    el('p', { class: 'muted' }, parts.filter(Boolean).join(' · ')),
    el('p', { class: 'muted' }, `Told because ${alert.reason}`),
    holdLine(alert.hold), alert.overlays.map(overlayLine),
    el('p', { class: 'next' }, nextWords(alert) ?? ''),
    told(alert), writtenLine(alert), actions(alert));
}

/** A card is made anew only when its alert changed: nobody loses an opened list or a button under the finger. */
function drawCard(alert) {
  const { standing, due, counting } = alert.clock_status ?? {};
  const signature = JSON.stringify({ ...alert, clock_status: { standing, due, counting } });
  const known = page.cards.get(alert.id);
  if (known?.signature === signature) {
    known.alert = alert;
    return known.card;
  }
  const card = makeCard(alert);
  const opened = known?.card.querySelector('details')?.open ?? false;
  if (card.querySelector('details')) card.querySelector('details').open = opened;
  page.cards.set(alert.id, { signature, card, alert });
  return card;
}

function draw() {
  const { alerts, total } = page.page;
  const cards = alerts.map(drawCard);
  const list = $('alerts');
  if (cards.length !== list.children.length || cards.some((card, i) => list.children[i] !== card)) list.replaceChildren(...cards);
  const shown = new Set(alerts.map((alert) => alert.id));
  for (const id of page.cards.keys()) if (!shown.has(id)) page.cards.delete(id);
  const words = { open: 'open', acknowledged: 'acknowledged', resolved: 'resolved' }[page.state];
  say($('note'), total > alerts.length ? `The first ${alerts.length} of ${total} ${words} alerts.` : `${counted(total, `${words} alert`)}.`);
  $('empty').hidden = total > 0;
  say($('empty'), page.state === 'open' ? 'No alert is open.' : `No alert is ${words}.`);
  if (page.state === 'open') document.title = total ? `(${total}) Alerts · SLA watch` : 'Alerts · SLA watch';
}

/** What this week's alerts came to, all tenants together. */
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
  const [now, alerts, { silences }, { maintenance_windows: windows }, weekly] = await Promise.all([
    overview, ask(`/api/v1/alerts?limit=200&state=${asked}`), ask('/api/v1/silences'), ask('/api/v1/maintenance-windows'), ask('/api/v1/alerts/weekly?weeks=1'),
  ]);
  if (asked !== page.state) return;
  setOverview(now);
  setTime(alerts.now, now.speed);
  for (const { clock_status: clock } of alerts.alerts) if (clock) clock.asOf = Date.parse(alerts.now);
  page.page = alerts;
  draw();
  drawWeek(weekly);
  drawOverlays([...silences, ...windows], state.overview.tenants);
}

export function startAlerts(again) {
  for (const button of $('states').children) {
    button.addEventListener('click', () => {
      page.state = button.dataset.state;
      for (const other of $('states').children) other.setAttribute('aria-pressed', String(other === button));
      again();
    });
  }
  if ($('you')) {
    $('you').value = localStorage.getItem('you') ?? '';
    $('you').addEventListener('change', () => localStorage.setItem('you', $('you').value.trim()));
  }
  document.addEventListener('acted', again);
  startQuieter(you);
}
