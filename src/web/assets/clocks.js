// The clocks of a ticket: in a row of the table, and in full.
import { el, say } from './dom.js';
import { remainingNow } from './state.js';
import { countdown, local, words } from './time.js';

export const STANDINGS = {
  breached: { label: 'Breached', sign: '!' },
  at_risk: { label: 'At risk', sign: '▲' },
  paused: { label: 'Paused', sign: '❚❚' },
  on_track: { label: 'On track', sign: '●' },
  nothing_due: { label: 'Nothing due', sign: '–' },
  met: { label: 'Met', sign: '✓' },
  cancelled: { label: 'Cancelled', sign: '×' },
  unknown: { label: 'Unknown', sign: '?' },
};
export const CLOCKS = { first_response: 'First response', resolution: 'Resolution', next_response: 'Next response' };

export function mark(standing) {
  return el('span', { class: `mark ${standing}`, 'aria-hidden': 'true' }, STANDINGS[standing]?.sign ?? '?');
}

/** The figure of a clock and the word after it. */
export function reading(clock) {
  if (clock.met_at) return clock.breached ? { figure: countdown(clock.over ?? 0), word: 'late' } : { figure: '', word: 'met in time' };
  if (clock.standing === 'cancelled') return { figure: '', word: 'cancelled' };
  const left = remainingNow(clock);
  if (left === null) return { figure: '', word: { breached: 'breached', paused: 'paused', unknown: 'not known' }[clock.standing] ?? 'no due time' };
  if (clock.standing === 'paused') return { figure: countdown(left), word: 'paused' };
  if (left === 0 && clock.remaining > 0) return { figure: '00:00', word: 'due now' };
  // SuperOps may call a clock breached before its due time; then no time left is shown.
  if (clock.standing === 'breached' && left >= 0) return { figure: '', word: 'breached' };
  return { figure: countdown(Math.abs(left)), word: left < 0 ? 'over' : clock.standing === 'at_risk' ? 'left, at risk' : 'left' };
}

/** The unit of its figure, unless that is wall time. */
export const unitOf = (clock) => (!clock || clock.round_the_clock || (clock.remaining === null && clock.over === null) ? '' : 'working time');

function explain(clock) {
  const lines = [`${CLOCKS[clock.clock]}: ${labelOf(clock)}`];
  if (clock.due) lines.push(`Due ${local(clock.due)}`);
  if (clock.due_if_resumed_now) lines.push(`Due ${local(clock.due_if_resumed_now)} if resumed now`);
  if (clock.met_at) lines.push(`Met ${local(clock.met_at)}`);
  if (clock.hours) lines.push(`Counted: ${clock.hours}`);
  return [...lines, ...clock.partial].join('\n');
}

/** A clock that was stopped late is not over any more. */
const labelOf = (clock) => (clock.standing === 'met_late' ? 'Met late' : STANDINGS[clock.standing]?.label ?? clock.standing);

const looks = (clock) => (clock.standing === 'met_late' ? 'breached' : clock.met_at && !clock.breached ? 'met' : clock.standing);

function meter() {
  return el('span', { class: 'meter', 'aria-hidden': 'true' }, el('i'));
}

function setMeter(node, clock) {
  const share = clock.elapsed_share;
  node.hidden = share === null || share === undefined || Boolean(clock.met_at);
  node.firstChild.style.width = `${Math.min(100, Math.max(0, (share ?? 0) * 100))}%`;
}

export function clockCell(kind) {
  const place = kind === 'next_response' ? 'clock next' : 'clock';
  const cell = el('td', { class: place },
    el('span', { class: 'line' }, mark('unknown'), el('b', { class: 'figure' }), el('span', { class: 'word' })), meter());
  cell.kind = kind;
  cell.show = (clock) => {
    cell.clock = clock;
    const look = clock ? looks(clock) : 'unknown';
    cell.className = `${place} ${look}${clock?.met_at ? ' done' : ''}`;
    say(cell.querySelector('.mark'), STANDINGS[look]?.sign ?? '?');
    cell.querySelector('.mark').className = `mark ${look}`;
    cell.title = clock ? explain(clock) : '';
    setMeter(cell.querySelector('.meter'), clock ?? {});
    cell.tick();
  };
  cell.tick = () => {
    const { figure, word } = cell.clock ? reading(cell.clock) : { figure: '', word: 'none' };
    say(cell.querySelector('.figure'), figure);
    say(cell.querySelector('.word'), word);
  };
  return cell;
}

export function clockCard(clock) {
  const look = looks(clock);
  const bar = meter();
  setMeter(bar, clock);
  const figure = el('b', { class: 'figure' });
  const word = el('span', { class: 'word' });
  const card = el('section', { class: `card ${look}` },
    el('h3', {}, CLOCKS[clock.clock], el('span', { class: `badge ${look}` }, mark(look), labelOf(clock))),
    el('p', { class: 'line' }, figure, word, el('span', { class: 'unit' }, unitOf(clock))), bar,
    el('dl', {}, facts({
      Due: clock.due && `${local(clock.due)}${clock.met_at ? '' : ` (${away(clock)})`}`,
      'Due if resumed now': clock.due_if_resumed_now && local(clock.due_if_resumed_now),
      Met: clock.met_at && local(clock.met_at),
      'Given by': { technician: 'a technician', automation: 'an automatic mail', not_known: 'not known' }[clock.met_by],
      'At risk from': !clock.met_at && clock.at_risk_from && local(clock.at_risk_from),
      'Time used': clock.elapsed_share !== null && clock.elapsed_share !== undefined && usedWords(clock.elapsed_share),
      Hours: clock.hours,
    })),
    clock.partial.map((line) => el('p', { class: 'caveat' }, line)));
  card.tick = () => {
    const now = reading(clock);
    say(figure, now.figure);
    say(word, now.word);
  };
  card.tick();
  return card;
}

/** How much of the target is used: in words first where a figure alone would puzzle. */
function usedWords(share) {
  const figure = `${Math.round(share * 100)} %`;
  if (share <= 1) return figure;
  const times = share < 10 ? share.toFixed(1).replace('.0', '') : Math.round(share);
  return times > 1 ? `${times} times the target (${figure})` : `just over the target (${figure})`;
}

function away(clock) {
  if (clock.remaining_wall === null || clock.remaining_wall === undefined) return 'standing still';
  return clock.remaining_wall < 0 ? `${words(-clock.remaining_wall)} ago` : `in ${words(clock.remaining_wall)}`;
}

export function facts(pairs) {
  return Object.entries(pairs).filter(([, value]) => value).flatMap(([name, value]) => [el('dt', {}, name), el('dd', { dir: 'auto' }, value)]);
}
