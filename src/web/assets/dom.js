// Making and changing elements. Tickets, names and messages come from strangers:
// they reach the page as text nodes only, never as markup.

export const $ = (id) => document.getElementById(id);

/** Invisible characters that reverse the reading order of the text after them. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;

/** Makes text safe to read: a stranger's text must not reverse the text beside it. */
const readable = (text) => (typeof text === 'string' ? text.replace(TURNING, '') : text);

/** An element with attributes and children; children that are not elements become text. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false).map(readable));
  return made;
}

/** Puts `children` into `place` unless text is selected there; restores the focus. */
export function refill(place, children) {
  const selection = getSelection();
  if (!selection.isCollapsed && place.contains(selection.anchorNode)) return;
  const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
  place.replaceChildren(...children);
  if (focused) [...place.querySelectorAll('a')].find((link) => link.getAttribute('href') === focused)?.focus();
}

/**
 * Makes `order` the children of `place`. Moves only children that are out of place, and never the one that holds the
 * focus: the others are put around it, so that focus, selection and an opened list survive.
 */
export function arrange(place, order) {
  const stay = new Set(order);
  for (const node of [...place.children]) if (!stay.has(node)) node.remove();
  const fixed = order.find((node) => node.parentNode === place && node.contains(document.activeElement));
  let next = place.firstElementChild;
  for (const node of order) {
    while (node === fixed && next !== node) {
      const later = next;
      next = next.nextElementSibling;
      place.append(later);
    }
    if (node === next) next = next.nextElementSibling;
    else place.insertBefore(node, next);
  }
}

/** Sets text only if it differs, so that a selection and a screen reader are not disturbed. */
export function say(node, text) {
  const shown = readable(text);
  if (node.textContent !== shown) node.textContent = shown;
}
