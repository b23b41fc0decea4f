// What people do to alerts: acknowledge, snooze, escalate, resolve.
import { $, el, say } from './dom.js';
import { send } from './state.js';

const SNOOZES = [['15m', '15 min'], ['30m', '30 min'], ['1h', '1 h'], ['4h', '4 h'], ['1d', '1 day']];

/** Whether the person signed in may act. */
export const mayAct = () => document.querySelector('main').dataset.mayAct === 'true';

/** The name of the person who acts, because several people may share a token. */
export const you = () => $('you')?.value.trim() || undefined;

/** How long after an act an alert may take to move in the list or to leave it, in milliseconds. */
const SOON = 5000;

/** When each alert was acted upon here. */
const acted = new Map();

/** Whether it was acted upon here just now: then its move surprises nobody. */
export const actedLately = (id) => performance.now() - acted.get(id) < SOON;

/** Does `what` to the alert; the error says why it failed. */
export async function actUpon(id, what, more = {}) {
  acted.set(id, performance.now());
  return send('POST', `/api/v1/alerts/${id}/${what}`, { by: you(), ...more }).catch((error) => {
    acted.delete(id);
    throw error;
  });
}

async function act(alert, what, more) {
  const answer = await actUpon(alert.id, what, more).catch((error) => ({ error }));
  if (answer.error) return void say($('note'), `That could not be done: ${answer.error.message}`);
  document.dispatchEvent(new Event('acted'));
}

/** The buttons of one alert; none for people who may only read. */
export function actions(alert) {
  if (!mayAct() || alert.state === 'resolved') return null;
  const button = (label, what, more) => el('button', { type: 'button', 'data-what': what, onclick: () => act(alert, what, more?.()) }, label);
  const length = el('select', { 'aria-label': 'Snooze for' }, SNOOZES.map(([value, label]) => el('option', { value }, label)));
  return el('div', { class: 'actions' },
    alert.state === 'acknowledged' ? null : button('Acknowledge', 'ack'),
    el('span', { class: 'joined' }, button('Snooze', 'snooze', () => ({ for: length.value })), length),
    button('Escalate now', 'escalate'),
    button('Resolve', 'resolve'));
}
