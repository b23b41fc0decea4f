// Write-backs: what was written on a ticket at SuperOps, and what is still to be written.
import { el } from './dom.js';
import { brief, local } from './time.js';

const KINDS = { note: 'a note', reassign: 'its technician', priority: 'its priority' };
const STATES = { done: 'written', pending: 'waiting', doing: 'under way', left: 'left as a person set it', failed: 'failed', cancelled: 'not needed any more' };

function words({ kind, what, state, last_error: why }) {
  const named = kind === 'priority' && what ? `${KINDS[kind]} ${what}` : KINDS[kind];
  return `${named} (${STATES[state]}${state === 'failed' && why ? `: ${why}` : ''})`;
}

/** One line on the card of an alert. */
export function writtenLine({ write_backs: all }) {
  return all.length ? el('p', { class: 'muted' }, `At SuperOps: ${all.map(words).join(', ')}`) : null;
}

/** A list on the page of a ticket, oldest first. */
export function writtenSection(alerts) {
  const all = alerts.flatMap((alert) => alert.write_backs).sort((a, b) => a.created_at.localeCompare(b.created_at));
  const item = (one) => {
    const at = one.settled_at ?? one.created_at;
    return el('li', {}, el('time', { datetime: at, title: local(at) }, brief(at)), ' ', words(one));
  };
  return all.length ? el('section', { class: 'written' }, el('h3', {}, 'Written to SuperOps'), el('ul', {}, all.map(item))) : '';
}
