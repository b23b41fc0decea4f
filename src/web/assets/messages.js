// Who was told what, and, in a demo, the caught messages themselves.
import { $, el, say } from './dom.js';
import { state } from './state.js';
import { openFrom, pageOf } from './ticket.js';
import { brief, local, zone } from './time.js';

/** Where a system listens rather than a person. */
const SYSTEMS = new Set(['slack', 'teams', 'pagerduty', 'webhook']);
const TO_SYSTEMS = { sent: 'Sent to', sending: 'Being sent to', pending: 'To be sent to', bundled: 'To be sent, with more, to', failed: 'Not sent to', cancelled: 'Not sent to' };
const VERBS = { sent: 'told by', sending: 'being told by', pending: 'to be told by', bundled: 'to be told, with more, by', failed: 'not told by', cancelled: null };
const SENT = { sent: '✓', sending: '…', pending: '○', bundled: '○', failed: '!', cancelled: '×' };

const CHANNELS = { email: 'Email', ntfy: 'Push', sms: 'SMS', voice: 'Call', slack: 'Slack', teams: 'Teams', pagerduty: 'PagerDuty', webhook: 'Webhook' };

export function channelName(channel) {
  return CHANNELS[channel] ?? channel;
}

const HELD = { quiet_hours: 'held by quiet hours until', cap: 'held until', budget: 'the day’s text messages are used up; held until', person: 'outside the hours this person has chosen; held until' };
const KINDS = { digest: 'digest', bundle: 'several in one', recovery: 'recovered', acknowledged: 'acknowledged', stale: 'data stale', fresh: 'data fresh' };

/** Who was told by which channel, or that nothing was sent. */
function outcomeWords({ state: how, channel, recipient }) {
  const who = el('b', {}, recipient);
  if (SYSTEMS.has(channel)) return [`${TO_SYSTEMS[how] ?? how} `, who];
  const name = channel === 'email' ? 'email' : channelName(channel);
  return [who, how === 'cancelled' ? ` · ${name}` : ` ${VERBS[how] ?? how} ${name}`];
}

/** What the answer to an attempt means. */
function answerWords(outcome, channel) {
  if (outcome !== 'taken') return outcome;
  return `accepted by ${{ email: 'mail server', sms: 'SMS provider' }[channel] ?? channelName(channel)}`;
}

/** Why the message waits or has waited, or that it was sent together with others. */
function shape(message) {
  if (message.state === 'pending' && message.held_by) return ` · ${HELD[message.held_by] ?? 'held until'} ${brief(message.due_at)} ${zone.name}`;
  if (message.state === 'sent' && message.held_by === 'quiet_hours') return ` · waited for the end of quiet hours${message.bundle ? ', in one digest' : ''}`;
  return message.bundle && message.state === 'sent' ? ' · in one message with others' : '';
}

const ENDED = { sent: 'sent', failed: 'given up', cancelled: 'cancelled' };

/** When it was sent or is due, if that is not when it was made, which the list is sorted by; and when it was cancelled. */
function laterWords({ state: how, held_by: held, created_at: made, due_at: due, done_at: done }) {
  const waits = how === 'pending' && !held;
  const [word, at] = done ? [ENDED[how], done] : waits ? ['due', due] : [];
  return word && (how === 'cancelled' || brief(at) !== brief(made)) ? ` · ${word} ${brief(at)}` : '';
}

/** What it is about, as a link: a service has a page of its own, a ticket opens beside the list too. */
function linkOf(message) {
  const words = message.display_id ?? message.ticket_id;
  return message.component
    ? el('a', { href: `/services/${encodeURIComponent(message.component)}` }, words)
    : el('a', { href: pageOf(message.tenant, message.ticket_id), onclick: (event) => openFrom(event, message) }, words);
}

export function messageItem(message, { link = true } = {}) {
  const subject = KINDS[message.kind] ?? message.stage;
  const ticket = message.ticket_id && link ? linkOf(message) : null;
  const at = message.created_at;
  return el('li', { class: `message ${message.state}`, 'data-key': message.key },
    el('span', { class: 'outcome', title: message.state }, SENT[message.state] ?? '?'),
    el('div', {},
      el('p', {}, outcomeWords(message), el('span', { class: 'muted' }, laterWords(message)), message.delivery ? el('span', { class: 'muted' }, ` · ${message.delivery}`) : ''),
      el('p', { class: 'muted about-what' },
        el('span', {}, el('span', { class: `stage ${message.kind === 'alert' ? message.stage : message.kind}` }, subject), ' ', ticket, message.step > 0 ? ` · step ${message.step + 1}` : '', shape(message)),
        el('time', { datetime: at, title: local(at) }, brief(at))),
      message.last_error ? el('p', { class: 'error' }, message.last_error) : '', tries(message)));
}

/** How each attempt went, if there were several. */
function tries({ state: how, channel, outcomes = [] }) {
  const shown = outcomes.length > 1 || how === 'failed' ? outcomes : [];
  return shown.map(({ number, at, outcome, detail }) => el('p', { class: 'muted attempt' },
    `try ${number} at ${brief(at)}: ${answerWords(outcome, channel)}${detail ? `, ${detail}` : ''}`));
}

/** A message, or a caught one, by its key, and what in it has the focus; null if nothing has. */
function focusIn(panel) {
  const focused = panel.contains(document.activeElement) ? document.activeElement : null;
  return focused && { focused, key: focused.closest('[data-key]')?.dataset.key };
}

/** Gives the focus to what had it, or to its twin if the list was made anew. */
function keepFocus(panel, { focused, key }) {
  const entry = key && [...panel.querySelectorAll('[data-key]')].find((one) => one.dataset.key === key);
  (focused.isConnected ? focused : entry?.querySelector(focused.localName))?.focus({ preventScroll: true });
}

function drawList(panel, items, make, empty, { head = null, foot = null } = {}) {
  const signature = JSON.stringify(items);
  if (panel.dataset.shown === signature) return;
  const top = panel.scrollTop;
  panel.dataset.shown = signature;
  const opened = new Set([...panel.querySelectorAll('details[open]')].map((one) => one.dataset.key));
  const before = focusIn(panel);
  const list = items.length ? el('ul', { class: 'messages' }, items.map(make)) : el('p', { class: 'empty' }, empty);
  panel.replaceChildren(...[head, list, foot].filter(Boolean));
  if (before) keepFocus(panel, before);
  for (const one of panel.querySelectorAll('details')) one.open = opened.has(one.dataset.key);
  panel.scrollTop = top;
}

function caughtItem(item) {
  const key = `${item.at}|${item.to}|${item.kind}`;
  return el('li', { class: 'caught' }, el('details', { 'data-key': key },
    el('summary', {},
      el('span', { class: 'channel' }, channelName(item.kind)), el('span', { class: 'to' }, item.to),
      el('time', { datetime: item.at, title: local(item.at) }, brief(item.at)),
      el('span', { class: 'line', dir: 'auto' }, item.subject || item.text)),
    el('pre', { dir: 'auto' }, item.text)));
}

/** The query for the messages. */
const asked = { sort: '-created', limit: 60 };
const MOST = 500;

export const messagesPath = () => `/api/v1/messages?limit=${asked.limit}&sort=${asked.sort}`;

function ask(change) {
  Object.assign(asked, change);
  document.dispatchEvent(new Event('acted'));
}

const order = el('select', { class: 'order', 'aria-label': 'Which messages first', onchange: (event) => ask({ sort: event.target.value }) },
  el('option', { value: '-created' }, 'Latest first'), el('option', { value: 'created' }, 'Earliest first'));
const more = el('button', { type: 'button', class: 'quiet', onclick: () => ask({ limit: Math.min(MOST, asked.limit + 60) }) }, 'More messages');

export function drawMessages() {
  const foot = state.messages?.length >= asked.limit && asked.limit < MOST ? more : null;
  if (state.messages) drawList($('messages'), state.messages, (m) => messageItem(m), 'Nobody has been told anything yet. Warnings and breaches appear here as they go out.', { head: order, foot });
  if (state.caught) drawList($('caught'), state.caught, caughtItem, 'Nothing caught yet. Every message that this demo sends appears here.');
  const pending = state.overview.outbox_pending;
  const counts = { messages: pending || '', caught: state.caught?.length || '' };
  for (const tab of $('views').children) say(tab.lastChild, String(counts[tab.dataset.view] ?? ''));
  $('views').querySelector('[data-view=messages]').title = pending ? `${pending} waiting to be sent` : '';
}

export function makeViews(desk) {
  const caught = desk.dataset.caught === 'true';
  const narrow = matchMedia('(max-width: 1100px)');
  const beside = caught ? 'caught' : 'messages';
  const places = {};
  const show = (view) => {
    places[desk.dataset.view] = scrollY;
    desk.dataset.view = view;
    if (narrow.matches) scrollTo(0, places[view] ?? 0);
    for (const tab of $('views').children) tab.setAttribute('aria-selected', String(tab.dataset.view === view));
  };
  const names = { tickets: 'Tickets', messages: 'Messages', ...(caught && { caught: 'Caught' }) };
  $('views').append(...Object.entries(names).map(([view, name]) => el('button', { type: 'button', role: 'tab', 'data-view': view, onclick: () => show(view) }, name, el('span', { class: 'count' }))));
  // A wide page shows the tickets beside one of the other two views, a narrow one shows one of the three.
  narrow.addEventListener('change', () => show(narrow.matches ? 'tickets' : beside));
  show(narrow.matches ? 'tickets' : beside);
}
