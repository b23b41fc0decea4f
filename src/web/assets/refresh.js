// Pages that the server renders: their content is fetched again when something changed, and replaced without losing the
// focus, an opened list, or what somebody is typing.

const page = { shown: null };

const nameOf = (node) => ['id', 'name', 'href'].map((key) => node.getAttribute?.(key)).find(Boolean);

/** Whether somebody is in the middle of something, or is shown a complaint about their form: then the refresh waits. */
function isBusy(main) {
  const fields = [...main.querySelectorAll('input, textarea')];
  const isChanged = (field) => field.value !== field.defaultValue || field.checked !== field.defaultChecked;
  return fields.some((field) => field === document.activeElement || isChanged(field))
    || main.querySelector('.complaint') || !getSelection().isCollapsed;
}

export async function refresh() {
  const main = document.querySelector('main');
  const answer = await fetch(location.href, { headers: { accept: 'text/html' }, signal: AbortSignal.timeout(10000) });
  if (answer.redirected) return void location.reload();
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
  page.shown ??= main.outerHTML;
  if (!fresh || fresh.outerHTML === page.shown || isBusy(main)) return;
  page.shown = fresh.outerHTML;
  const focused = main.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  const opened = [...main.querySelectorAll('details')].map((one) => one.open);
  main.replaceChildren(...fresh.childNodes);
  [...main.querySelectorAll('details')].forEach((one, i) => { one.open = opened[i] ?? one.open; });
  if (focused) [...main.querySelectorAll('a, button, summary, input, select')].find((node) => nameOf(node) === focused)?.focus();
}
