// Elements, and text that cannot be anything but text. Nothing in this page parses markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(3).filter((c) => c !== undefined && c !== null && c !== false));
  return node;
}

export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
export const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

/** Replaces the children of a node. */
export function put(node, ...children) {
  node.replaceChildren(...children.flat(3).filter((c) => c !== undefined && c !== null && c !== false));
  return node;
}

/** Sets the text of a node if it differs: an unchanged page costs no layout. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets or removes an attribute if it differs. */
export function mark(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Makes the children of `box` those of `things`, in order: one view `{node, update(thing)}` for each
 *  key, which stays as long as its thing does. Focus and selection survive. */
export function reconcile(box, views, things, key, make) {
  const keys = things.map(key);
  const wanted = new Set(keys);
  for (const [k, view] of views) { // first: what stays need not be moved then
    if (wanted.has(k)) continue;
    view.node.remove();
    views.delete(k);
  }
  let before = box.firstChild;
  things.forEach((thing, i) => {
    let view = views.get(keys[i]);
    if (!view) views.set(keys[i], view = make(thing));
    if (view.node === before) before = before.nextSibling;
    else box.insertBefore(view.node, before);
    view.update(thing);
  });
}

const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

function picture(c) {
  const code = c.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
}

/** Text from elsewhere, over several lines: what is invisible or turns the direction is shown. */
export const visible = (text) => String(text).replace(hidden, picture);

/** The same on one line, not longer than `max`. */
export function line(text, max = 160) {
  let t = String(text);
  const cut = t.length > max;
  if (cut) t = t.slice(0, max);
  return visible(t).replace(/\n/g, "\u240a").replace(/\t/g, " ") + (cut ? "\u2026" : "");
}

/** Text from elsewhere as an element that keeps its direction to itself. */
export const foreign = (text, max) => h("bdi", { class: "foreign" }, line(text, max));
