// Pages that the server renders: their content is fetched again when something changed, and replaced without losing the
// focus, an opened list, or what somebody is typing or choosing.

const page = { shown: null };

const nameOf = (node) => ['id', 'name', 'href'].map((key) => node.getAttribute?.(key)).find(Boolean);

const fieldsOf = (main) => [...main.querySelectorAll('input, select, textarea')];

/** Whether a field differs from what the server sent. A list shows its first choice unless another is marked. */
function isChanged(field) {
  if (field.localName !== 'select') return field.value !== field.defaultValue || field.checked !== field.defaultChecked;
  const options = [...field.options];
  const initial = options.find((option) => option.defaultSelected) ?? options[0];
  return Boolean(initial) && !initial.selected;
}

/** A filter changes nothing, and may be left as it is for hours: no refresh waits for it, but takes it over. */
const isFilter = (field) => field.form?.getAttribute('method') === 'get';

/** Whether somebody is in the middle of something, or is shown a complaint about their form: then the refresh waits. */
function isBusy(main) {
  return fieldsOf(main).some((field) => field === document.activeElement || (isChanged(field) && !isFilter(field)))
    || main.querySelector('.complaint') || !getSelection().isCollapsed;
}

/** Whether somebody is filling in a form, or is shown a complaint about it: it would be lost if they left the page. */
export function isWriting() {
  const main = document.querySelector('main');
  return Boolean(main.querySelector('.complaint:not([hidden])')) || fieldsOf(main).some((field) => field.form && !isFilter(field)
    && (field === document.activeElement || isChanged(field)));
}

/** Sets the filters in `main` to what was chosen in `old` ones. */
function takeOver(main, old) {
  const isSame = (one, other) => one.name === other.name && one.type === other.type
    && one.form.getAttribute('action') === other.form.getAttribute('action');
  const fresh = fieldsOf(main).filter(isFilter);
  for (const field of old) {
    const twin = fresh.find((one) => isSame(one, field));
    if (twin) [twin.value, twin.checked] = [field.value, field.checked];
  }
}

export async function refresh() {
  const main = document.querySelector('main');
  page.shown ??= main.outerHTML;
  if (isBusy(main)) return;
  const answer = await fetch(location.href, { headers: { accept: 'text/html' }, signal: AbortSignal.timeout(10000) });
  if (answer.redirected) return void location.reload();
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
  // Somebody may have begun while the answer was on its way.
  if (!fresh || fresh.outerHTML === page.shown || isBusy(main)) return;
  page.shown = fresh.outerHTML;
  const focused = main.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  const opened = [...main.querySelectorAll('details')].map((one) => one.open);
  const chosen = fieldsOf(main).filter((field) => isFilter(field) && isChanged(field));
  main.replaceChildren(...fresh.childNodes);
  takeOver(main, chosen);
  [...main.querySelectorAll('details')].forEach((one, i) => { one.open = opened[i] ?? one.open; });
  if (focused) [...main.querySelectorAll('a, button, summary, input, select')].find((node) => nameOf(node) === focused)?.focus();
}
