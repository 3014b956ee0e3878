// JSON as the text that it is: parsing would change large numbers and repeated members.

/** The end of the string that begins at `i`. */
function stringEnd(text, i) {
  for (i++; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i + 1;
  }
  return i;
}

/** The text of a member of the object, as it was sent; undefined when there is none. */
export function rawMember(text, name) {
  let depth = 0;
  let begins = -1;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      const end = stringEnd(text, i);
      if (depth === 1 && begins < 0 && text[end] === ":" && text.slice(i, end) === JSON.stringify(name)) begins = end + 1;
      i = end - 1;
    } else if (c === "{" || c === "[") depth++;
    else if (c === "}" || c === "]") {
      if (--depth === 0 && begins >= 0) return text.slice(begins, i);
    } else if (c === "," && depth === 1 && begins >= 0) return text.slice(begins, i);
  }
  return undefined;
}

/** The same JSON with line breaks. */
export function pretty(text) {
  const out = [];
  let indent = "";
  let from = 0;
  const flush = (to) => { if (to > from) out.push(text.slice(from, to)); };
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      i = stringEnd(text, i) - 1;
      continue;
    }
    if (!"{}[],: \t\r\n".includes(c)) continue;
    flush(i);
    from = i + 1;
    if (c === "{" || c === "[") {
      let k = i + 1;
      while (" \t\r\n".includes(text[k] || "x")) k++;
      if (text[k] === "}" || text[k] === "]") {
        out.push(c, text[k]);
        i = k;
        from = k + 1;
      } else {
        indent += "  ";
        out.push(c, "\n", indent);
      }
    } else if (c === "}" || c === "]") {
      indent = indent.slice(2);
      out.push("\n", indent, c);
    } else if (c === ",") out.push(",\n", indent);
    else if (c === ":") out.push(": ");
  }
  flush(text.length);
  return out.join("");
}
