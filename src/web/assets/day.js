// How the day compares, on the page of tickets: drawn by the server, and fetched once a minute.
import { $, say } from './dom.js';

const EVERY = 60000;

const day = { askedAt: -Infinity };

/** Shows what the server drew; the page works without it. */
async function read() {
  const answer = await fetch('/today', { headers: { accept: 'text/html' }, signal: AbortSignal.timeout(10000) });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('#day');
  if (!fresh) return;
  const words = fresh.querySelector('#day-words');
  words.remove();
  say($('today-words'), words.textContent);
  const figures = $('today').querySelector('.figures')?.open ?? false;
  $('today-picture').replaceChildren(...fresh.childNodes);
  $('today').querySelector('.figures').open = figures;
  $('today').hidden = false;
}

export function readDay() {
  if (performance.now() - day.askedAt < EVERY) return;
  day.askedAt = performance.now();
  read().catch(() => {});
}
