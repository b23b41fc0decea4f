// Whether the page can be trusted: how old the data is, and whether the server still answers.
import { $, el, say } from './dom.js';
import { live } from './live.js';
import { channelName } from './messages.js';
import { state } from './state.js';
import { clockTime, counted, local, serverNow, time, words, zone } from './time.js';

/** After this many polls without an answer the page says so. */
const STALE_AFTER = 3;
/** Seconds after which a tenant's data is shown as old. */
const OLD = 180;

export function drawHealth() {
  const only = $('ticket')?.dataset.tenant;
  const tenants = state.overview.tenants.filter(({ tenant }) => !only || tenant === only);
  const chips = $('health');
  while (chips.children.length > tenants.length) chips.lastChild.remove();
  while (chips.children.length < tenants.length) chips.append(el('li', {}, el('span', { class: 'dot', 'aria-hidden': 'true' }), el('b'), ' ', el('span')));
  tenants.forEach((tenant, i) => drawChip(chips.children[i], tenant));
  const down = state.overview.channels.filter((one) => one.state === 'down');
  const silent = down.map(({ channel }) => ({ tenant: channelName(channel), trouble: 'does not answer; messages wait and are tried one at a time.' }));
  const doubted = tenants.filter(({ forecast }) => forecast).map(({ tenant, forecast }) => ({ tenant, trouble: `${forecast}.` }));
  const limited = tenants.flatMap(({ tenant, limits }) => (limits ?? []).map((limit) => ({ tenant, trouble: `${limit}.` })));
  const unlisted = tenants.flatMap(({ tenant, unlisted_statuses: found }) => (found ?? []).map((said) => ({ tenant, trouble: `${said}.` })));
  drawTroubles([...tenants.filter(({ trouble }) => trouble), ...limited, ...doubted, ...unlisted, ...silent, ...audited(state.overview.mismatches ?? {}), ...leftOut(state.overview.left_out ?? {})]);
}

const MISMATCHES = {
  late_step: 'steps of an escalation are overdue', no_alert: 'breached clocks have no alert',
  nobody_told: 'breaches were told to nobody', unknown_clock: 'tickets have clocks that SuperOps says nothing about', late_notification: 'messages are stuck',
};

/** What should have happened and did not: faults of the watch itself. */
function audited(mismatches) {
  const found = Object.entries(mismatches).map(([kind, count]) => `${count} ${MISMATCHES[kind] ?? kind}`);
  return found.length ? [{ tenant: 'Audit', trouble: `${found.join(', ')}. The log names each; look there first.` }] : [];
}

/** What the store holds but cannot show: a list must not look complete when it is not. */
function leftOut(kinds) {
  const found = Object.entries(kinds).map(([kind, count]) => counted(count, kind));
  return found.length ? [{ tenant: 'Store', trouble: `${found.join(', ')} cannot be read and ${found.length > 1 || Object.values(kinds)[0] > 1 ? 'are' : 'is'} left out of the pages. The log names each; superops-sla store check says what to do.` }] : [];
}

function drawChip(chip, { tenant, last_good_sync: read, trouble, quarantined }) {
  const age = read ? (serverNow() - Date.parse(read)) / 1000 : null;
  const old = age === null || age / time.speed > OLD;
  chip.className = trouble || time.frozen ? 'bad' : old ? 'old' : 'good';
  chip.title = read ? `Last good read ${local(read)}` : '';
  say(chip.children[1], tenant);
  say(chip.lastChild, [age === null ? 'not read yet' : `read ${words(age)} ago`, quarantined && `${quarantined} unreadable`].filter(Boolean).join(', '));
}

function drawTroubles(troubled) {
  const shown = JSON.stringify(troubled.map(({ tenant, trouble }) => [tenant, trouble]));
  if ($('troubles').dataset.shown === shown) return;
  $('troubles').dataset.shown = shown;
  $('troubles').replaceChildren(...troubled.map(({ tenant, trouble }) => el('div', { class: 'banner trouble', role: 'status' }, el('b', {}, `${tenant}: `), trouble)));
}

export function drawNow() {
  if (time.at === null) return;
  const text = `${clockTime(serverNow())} ${zone.name}`;
  say($('now'), time.speed > 1 ? `${text} · ${time.speed}× speed` : text);
}

/** Old data must never look fresh: after a few polls without an answer everything stops, and the page says so. */
export function drawStale() {
  const silent = performance.now() - state.answeredAt;
  const stale = state.signedOut || (silent > state.poll * STALE_AFTER && !live.on);
  document.body.classList.toggle('stale', stale);
  $('stale').hidden = !stale;
  if (!stale) {
    say($('stale-spoken'), '');
    return void (time.frozen = false);
  }
  if (!time.frozen && time.at !== null) {
    time.at = time.at + Math.max(0, state.answeredAt - time.since) * time.speed;
    time.frozen = true;
  }
  const known = time.at === null ? 'Nothing has been read yet.' : `What you see is from ${clockTime(time.at)}; its countdowns have stopped.`;
  if (state.signedOut) {
    const advice = 'What you have typed is still here: sign in again in another tab before you send it.';
    say($('stale-spoken'), `You have been signed out. ${advice}`);
    return say($('stale'), `You have been signed out. ${advice} ${known}`);
  }
  say($('stale-spoken'), 'No answer from the server. What you see is old.');
  say($('stale'), `No answer from the server for ${words(silent / 1000)}. ${known} Trying again…`);
}
