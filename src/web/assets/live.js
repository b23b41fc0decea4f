// Hears of changes as they happen: one stream for all tabs of this browser, which one of them holds and tells the others.

/** Milliseconds: the server says every five seconds that it is there. Without that the page asks by itself. */
const LOST = 16000;
const AGAIN = 10000;
/** A page that was just read is fresh: one that is opened and left at once costs no stream. */
const SETTLED = 3000;

export const live = {
  heardAt: -Infinity,
  get on() { return performance.now() - live.heardAt < LOST; },
};

/** Calls `changed` whenever something did. */
export function listen(changed) {
  const channel = 'BroadcastChannel' in window ? new BroadcastChannel('sla-events') : null;
  const heard = (kind) => {
    live.heardAt = performance.now();
    if (kind !== 'beat') changed();
  };
  if (channel) channel.onmessage = ({ data }) => heard(data);
  const tell = (kind) => { heard(kind); channel?.postMessage(kind); };
  const hold = () => new Promise(() => setTimeout(() => open(tell), SETTLED));
  // The lock passes to another tab when the one that holds it is closed.
  if (channel && navigator.locks) navigator.locks.request('sla-events', hold);
  else hold();
}

function open(tell) {
  const source = new EventSource('/api/v1/events');
  for (const kind of ['hello', 'change', 'beat']) source.addEventListener(kind, () => tell(kind));
  source.addEventListener('error', () => {
    // A stream that broke is taken up again by the browser; one that was refused is not.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => open(tell), AGAIN);
  });
}
