"use strict";
// Small things that the whole page uses: making elements, showing figures, and showing what came over the wire.
// Text from the wire becomes a text node, here and everywhere: nothing on this page is made by parsing HTML.

function make(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function shape(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const byId = (id) => document.getElementById(id);

// --- figures --------------------------------------------------------------------------------------------------------

// The same words as timing.duration in Python: 0.4 ms, 412 ms, 3.1 s.
function duration(us) {
  if (us === null || us === undefined) return "–";
  const ms = us / 1000;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  return ms < 99950 ? `${(ms / 1000).toFixed(1)} s` : `${count(Math.round(ms / 1000))} s`;
}

// Times that stand below one another: milliseconds, one decimal, always.
function milliseconds(us) {
  return (us / 1000).toFixed(1).replace(/\B(?=(\d{3})+(?=\.))/g, ",");
}

function count(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

function plural(number, thing) {
  return `${count(number)} ${thing}${number === 1 ? "" : "s"}`;
}

function dollars(usd) {
  return `$${usd.toFixed(6)}`;
}

// --- text from the wire ---------------------------------------------------------------------------------------------

// Control characters, and those that turn the direction of the text around them (which would make bytes lie about their
// order), are written as what they are. By code points: of surrogates, only one without the other is meant.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu;
// Names, not the pictures that Unicode has for them: hardly a font can draw those.
const NAMES = { "\n": "LF", "\r": "CR", "\t": "TAB", "\u001b": "ESC", "\u0000": "NUL" };

function named(character) {
  return NAMES[character] || `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

// In one line, for figures, headers and labels.
function visible(text) {
  return text.replace(HIDDEN, (character) => `⟨${named(character)}⟩`);
}

// As nodes, every byte in sight: control characters are small signs, and a line feed also breaks the line.
function visibleNodes(text) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(HIDDEN)) {
    nodes.push(text.slice(from, found.index), make("span", "control", named(found[0])));
    if (found[0] === "\n") nodes.push("\n");
    from = found.index + found[0].length;
  }
  nodes.push(text.slice(from));
  return nodes;
}

// For an answer's text: line breaks are line breaks, and white space is marked only where it is asked for.
function readable(text, marked) {
  const lines = visible(text).replace(/⟨LF⟩/g, marked ? "↵\n" : "\n").replace(/⟨TAB⟩/g, marked ? "→\t" : "\t");
  return marked ? lines.replace(/ /g, "·\u200b") : lines; // a line may still break there
}

// A read as it is embedded: [at_us, text] or [at_us, null, base64].
function bytesOf(text, base64) {
  if (base64 === undefined) return { text, size: new TextEncoder().encode(text).length };
  const raw = atob(base64);
  return { raw, size: raw.length };
}

function bytesOfRecord(record) {
  return record.base64 === undefined ? bytesOf(record.text) : bytesOf(null, record.base64);
}

// Nodes; of very long bytes the beginning.
function shownBytes(bytes, most = 200000) {
  const nodes = bytes.raw === undefined ? visibleNodes(bytes.text.slice(0, most)) : [hexdump(bytes.raw.slice(0, most / 4))];
  const left = bytes.raw === undefined ? bytes.text.length - most : bytes.raw.length - most / 4;
  if (left > 0) nodes.push(make("span", "quiet", `\n… ${count(left)} more`));
  return nodes;
}

// 00000000  1f 8b 08 00 00 00 00 00  00 03 ...  |................|
function hexdump(raw) {
  const lines = [];
  for (let start = 0; start < raw.length; start += 16) {
    const row = raw.slice(start, start + 16);
    const hex = Array.from(row, (one) => one.charCodeAt(0).toString(16).padStart(2, "0"));
    const left = hex.slice(0, 8).join(" ").padEnd(23);
    const right = hex.slice(8).join(" ").padEnd(23);
    lines.push(`${start.toString(16).padStart(8, "0")}  ${left}  ${right}  |${row.replace(/[^ -~]/g, ".")}|`);
  }
  return lines.join("\n");
}

// --- JSON -----------------------------------------------------------------------------------------------------------

const MOST_PRETTY = 200000; // characters; a body with an image in it is longer, and its raw bytes show it
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/g;

// JSON, indented as it came: by its own tokens, so that big numbers, repeated keys and escapes stay what they are.
function prettyJson(text) {
  const pre = make("pre", "json");
  let rest = text;
  if (text.length > MOST_PRETTY) rest = text.slice(0, MOST_PRETTY);
  try {
    JSON.parse(text);
  } catch (problem) {
    pre.append(...visibleNodes(rest), more(text));
    return pre;
  }
  let indent = 0;
  let plain = "";
  const write = (piece, kind) => {
    if (!kind) { plain += piece; return; }
    pre.append(plain, make("span", kind, piece));
    plain = "";
  };
  const tokens = rest.match(TOKENS) || [];
  const line = () => "\n" + "  ".repeat(indent);
  tokens.forEach((token, place) => {
    const next = tokens[place + 1];
    if (token === "{" || token === "[") {
      indent += 1;
      write(token + (next === "}" || next === "]" ? "" : line()));
    } else if (token === "}" || token === "]") {
      indent -= 1;
      const before = tokens[place - 1];
      write((before === "{" || before === "[" ? "" : line()) + token);
    } else if (token === ",") write("," + line());
    else if (token === ":") write(": ");
    else if (token[0] === '"') write(visible(token), next === ":" ? "key" : "string");
    else write(token, "literal");
  });
  pre.append(plain, more(text));
  return pre;
}

function more(text) {
  if (text.length <= MOST_PRETTY) return "";
  return make("span", "quiet", `\n… ${count(text.length - MOST_PRETTY)} further characters; the raw bytes show them`);
}
