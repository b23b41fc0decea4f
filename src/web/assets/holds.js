// Who has taken something on, or put it off, and until when.
import { el } from './dom.js';
import { brief } from './time.js';

const HOW = { api: 'through the API', page: 'on this page', link: 'by a link', sms: 'by SMS', voice: 'by phone', slack: 'in Slack', pagerduty: 'in PagerDuty', command_line: 'on the command line' };

function until(hold) {
  if (hold.expired) return '; that time is up';
  return hold.until ? `, until ${brief(hold.until)}` : ', until it gets worse';
}

const did = (hold) => (hold.kind === 'snoozed' ? 'Snoozed' : 'Acknowledged');

/** The hold in full, after `what` it is about if that must be said. */
export function holdLine(hold, what = '') {
  if (!hold) return null;
  return el('p', { class: `hold ${hold.expired ? 'expired' : ''}` },
    `${what ? `${what}: ` : ''}${did(hold)} by ${hold.by} ${HOW[hold.how] ?? ''} at ${brief(hold.at)}${until(hold)}`);
}

/** The holds in a few words, for a row of a table. */
export const holdWords = (held) => [...new Set(held.map((hold) => `${did(hold)} by ${hold.by}${until(hold)}`))].join('; ');
