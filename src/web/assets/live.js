// Hears of changes as they happen. All tabs of a browser share one stream: one tab holds it and tells the others.

/** Milliseconds. The server sends a sign of life every five seconds; without one the page polls. */
const LOST = 16000;
const AGAIN = 10000;
/** A page that was just read is fresh, so one that is opened and left at once needs no stream. */
const SETTLED = 3000;

export const live = {
  heardAt: -Infinity,
  get on() { return performance.now() - live.heardAt < LOST; },
};

/** Calls `changed` whenever something has changed. */
export function listen(changed) {
  const channel = 'BroadcastChannel' in window ? new BroadcastChannel('sla-events') : null;
  const heard = (kind) => {
    live.heardAt = performance.now();
    if (kind !== 'beat') changed();
  };
  if (channel) channel.onmessage = ({ data }) => heard(data);
  const tell = (kind) => { heard(kind); channel?.postMessage(kind); };
  const hold = () => new Promise(() => setTimeout(() => open(tell), SETTLED));
  // When the tab that holds the lock is closed, the lock passes to another tab.
  if (channel && navigator.locks) navigator.locks.request('sla-events', hold);
  else hold();
}

function open(tell) {
  const source = new EventSource('/api/v1/events');
  for (const kind of ['hello', 'change', 'beat']) source.addEventListener(kind, () => tell(kind));
  source.addEventListener('error', () => {
    // The browser reconnects a broken stream by itself, but not a refused one.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => open(tell), AGAIN);
  });
}
