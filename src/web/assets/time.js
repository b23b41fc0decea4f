// The server's time, and times in words.

/** The server's clock, carried on by this computer's monotonic one: the two may differ, and a demo's runs faster. */
export const time = { at: null, since: 0, speed: 1, frozen: false };

export function setTime(now) {
  time.at = Date.parse(now);
  time.since = performance.now();
}

/** All times on a page are in one zone, which its head names. */
export const zone = { name: 'UTC' };

/** Sets the zone that all of these share; UTC if they differ, or if this browser does not know it. */
export function setZone(names) {
  const common = new Set(names).size === 1 ? names[0] : 'UTC';
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: common });
    zone.name = common;
  } catch {
    zone.name = 'UTC';
  }
}

const elapsed = () => (time.frozen ? 0 : (performance.now() - time.since) * time.speed);
export const serverNow = () => time.at + elapsed();

export function countdown(seconds) {
  const s = Math.abs(Math.trunc(seconds));
  const [h, m, rest] = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60].map((n) => String(n).padStart(2, '0'));
  const sign = seconds < 0 ? '−' : '';
  if (s >= 100 * 3600) return `${sign}${Math.floor(s / 3600)} h`;
  return s >= 3600 ? `${sign}${Number(h)}:${m}:${rest}` : `${sign}${m}:${rest}`;
}

/** `1 alert`, `12 alerts`. */
export const counted = (number, noun) => `${number} ${noun}${number === 1 ? '' : 's'}`;

export function words(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

const FULL = { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' };
const written = (at, form) => new Date(at).toLocaleString(undefined, { ...form, hourCycle: 'h23', timeZone: zone.name });
export const local = (text) => (text ? written(text, FULL) : '');
export const clockTime = (at) => written(at, { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** `14:05` if today, with the date otherwise. */
export function brief(text) {
  const day = (at) => written(at, { dateStyle: 'short' });
  const today = time.at !== null && day(text) === day(serverNow());
  return written(text, today ? { hour: '2-digit', minute: '2-digit' } : FULL);
}
