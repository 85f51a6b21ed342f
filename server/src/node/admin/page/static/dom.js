// Building and changing the page. All text goes through textContent: names of events come from outside.

/** An element with attributes and children, which are elements or text. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

export const byId = (id) => document.getElementById(id);

/** Changes what is different and nothing else: the reader's place and selection stay. */
export function say(element, text, className) {
  const words = String(text);
  if (element.textContent !== words) element.textContent = words;
  if (className !== undefined && element.className !== className) element.className = className;
}

/** Shows one thing for each item, by key. What stays is filled anew, so buttons keep the focus. */
export function keyed(parent, items, key, make) {
  const known = parent.known ?? (parent.known = new Map());
  const wanted = new Set(items.map(key));
  for (const [name, one] of known) {
    if (!wanted.has(name)) {
      one.element.remove();
      known.delete(name);
    }
  }
  items.forEach((item, place) => {
    const name = key(item);
    if (!known.has(name)) known.set(name, make(item));
    const { element, fill } = known.get(name);
    if (parent.children[place] !== element) parent.insertBefore(element, parent.children[place] ?? null);
    fill(item);
  });
}

/** A list of sentences. */
export function sentences(list, texts) {
  const items = texts.map((text, place) => ({ text, place }));
  keyed(list, items, (item) => item.place, () => {
    const element = el("li");
    return { element, fill: (item) => say(element, item.text) };
  });
}

const whole = new Intl.NumberFormat("en");

/** A number for people; a dash for none. */
export function number(value) {
  return value === null || value === undefined ? "–" : whole.format(Math.round(value));
}

/** So many of something, in words. */
export function many(count, one, more) {
  return `${number(count)} ${count === 1 ? one : more}`;
}

/** Bytes for people. */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [count, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
