"use strict";
// The sections below the waterfall: the text with its boundaries, request and response side by side, usage and cost.

// Each delta is a span of its own; reasoning stands apart, before the text it led to.
function drawText(view) {
  const marked = byId("whitespace").checked;
  const blocks = [];
  let kind = "";
  let deltas = 0;
  points.forEach((point, place) => {
    if (!point.text || laneOf(point.kind) === "other") return;
    if (point.kind !== kind) {
      kind = point.kind;
      const block = make("div", `deltas ${kind}`);
      if (kind !== "text") block.append(make("span", "block-name", kind === "tool" ? "tool calls" : kind));
      blocks.push(block);
    }
    const delta = make("span", `delta ${deltas % 2 ? "odd" : "even"}`, readable(point.text, marked));
    delta.id = `delta-${place}`;
    blocks[blocks.length - 1].append(delta);
    deltas += 1;
  });
  if (!deltas) blocks.push(...wholeText(view));
  byId("text-section").hidden = !blocks.length;
  byId("text-says").textContent = deltas ? `${plural(deltas, "delta")}; each shade is one` : "came whole";
  byId("text").replaceChildren(...blocks);
}

// The text of an answer that was no stream.
function wholeText(view) {
  return view.texts.map((text) => make("div", "deltas text", make("span", "delta", readable(text, byId("whitespace").checked))));
}

byId("whitespace").addEventListener("change", () => drawText(views.get(selected)));
byId("text").addEventListener("pointerover", (event) => {
  if (event.target.id.startsWith("delta-")) showPoint(Number(event.target.id.slice(6)), true);
});
byId("text").addEventListener("click", (event) => {
  if (event.target.id.startsWith("delta-")) showPoint(Number(event.target.id.slice(6)), false);
});
byId("text").addEventListener("pointerleave", () => showPoint(current, false));

// --- request and response -------------------------------------------------------------------------------------------

function drawMessages(view) {
  const request = view.request;
  byId("request-says").textContent = `${plural(request.size_bytes, "byte")} of body${request.whole ? "" : ", cut off"}`;
  byId("request").replaceChildren(make("p", "line", visible(request.line)), headerTable(request.headers),
    bodyOf(request.body, "empty body"), rawPart("request", "Raw bytes", () => rawRequest(request)));
  const box = byId("response");
  if (!view.head) {
    byId("response-says").textContent = "";
    box.replaceChildren(make("p", "quiet", "No answer began."), endLine(view));
    return;
  }
  const size = view.reads.reduce((sum, [, text, base64]) => sum + (text === null ? base64.length * 0.75 : text.length), 0);
  const reused = view.head.reused === null ? "" : view.head.reused ? ", on a kept connection" : ", on a new connection";
  byId("response-says").textContent = `${plural(view.reads.length, "read")}, about ${count(Math.round(size))} bytes${reused}`;
  const parts = [make("p", "line", visible(view.head.line)), headerTable(view.head.headers)];
  for (const [at, status, reason] of view.interim) parts.unshift(make("p", "quiet", visible(`${duration(at)}: interim ${status} ${reason}`)));
  if (view.stream && view.reply) parts.push(make("p", "quiet", "The chunks, put together:"), prettyJson(view.reply));
  if (view.body) parts.push(bodyOf(view.body, "empty body"));
  parts.push(rawPart("response", "Raw bytes, read by read", () => rawReads(view)), endLine(view));
  box.replaceChildren(...parts);
}

function endLine(view) {
  if (!view.end) return make("p", "quiet", "No end was recorded.");
  const words = [`${duration(view.end.at_us)}: ${view.end.how.replace("_", " ")}, ${view.end.says}`];
  if (!view.end.whole) words.push("not whole by the rules of HTTP");
  if (view.end.detail) words.push(view.end.detail);
  if (view.flaw) words.push(view.flaw);
  return make("p", "quiet", visible(words.join("; ")));
}

function headerTable(pairs) {
  const table = make("table", "headers");
  for (const [name, value] of pairs) table.append(make("tr", "", make("th", "", visible(name)), make("td", "", visible(value))));
  return table;
}

function bodyOf(record, whenEmpty) {
  const bytes = bytesOfRecord(record);
  if (!bytes.size) return make("p", "quiet", whenEmpty);
  if (bytes.raw !== undefined) return make("pre", "", hexdump(bytes.raw.slice(0, 4096)));
  return prettyJson(bytes.text);
}

// Unfolded on demand: most people never look, and it is most of the page.
function rawPart(id, label, fill) {
  const details = make("details", "", make("summary", "", label));
  details.open = openParts.has(id);
  const show = () => { if (details.childElementCount < 2) details.append(...[fill()].flat()); };
  if (details.open) show();
  details.addEventListener("toggle", () => {
    if (details.open) { openParts.add(id); show(); } else openParts.delete(id);
  });
  return details;
}

function rawRequest(request) {
  const head = [request.line, ...request.headers.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
  return make("pre", "raw", ...visibleNodes(head), make("span", "raw-body", ...shownBytes(bytesOfRecord(request.body))));
}

const READS_AT_ONCE = 100;

function rawReads(view) {
  const box = make("div", "raw-reads");
  let next = 0;
  const button = make("button", "");
  button.type = "button";
  const go = () => {
    const end = Math.min(next + READS_AT_ONCE, view.reads.length);
    for (; next < end; next += 1) {
      const [at, text, base64] = view.reads[next];
      button.before(make("pre", "raw", make("span", "read-time", `read ${next + 1}, ${milliseconds(at)} ms\n`), ...shownBytes(bytesOf(text, base64))));
    }
    button.hidden = next >= view.reads.length;
    button.textContent = `${plural(view.reads.length - next, "further read")}`;
  };
  button.addEventListener("click", go);
  box.append(button);
  go();
  return box;
}

// --- usage and cost ---------------------------------------------------------------------------------------------------

function drawUsage(view) {
  const table = make("table", "usage");
  const row = (label, value, kind) => table.append(make("tr", kind || "", make("th", "", label), make("td", "number", value)));
  for (const [label, number] of view.usage || []) row(label.includes(", of") ? `  ${label}` : label, count(number), label.includes(", of") ? "part" : "");
  const model = view.billed_model;
  if (view.cost_usd !== null) row("cost", dollars(view.cost_usd), "cost");
  else row("cost", "unknown", "cost");
  byId("usage").replaceChildren(table);
  const why = view.cost_usd !== null ? (view.cost_reported ? "as the server says" : `by the stated price of ${model}`)
    : !view.usage ? "No usage came with the answer." : `Nobody stated a price for ${model || "this model"}.`;
  byId("usage").append(make("p", "quiet", visible(why)));
}
