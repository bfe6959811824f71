"use strict";
// The drawings: the waterfall of one exchange (and of a second one under it), the lanes of the recording, the histogram.
// All are SVG with few elements, one path for each kind of tick, so that 10,000 events are drawn at once, take their
// colours from the style sheet, and print sharply. Kinds have lanes of their own: no colour is needed to tell them.

const KINDS = [
  ["reads", "reads"],
  ["reasoning", "reasoning"],
  ["text", "text"],
  ["tool", "tool calls"],
  ["other", "other"],
];
const LANE = 18; // pixels a lane
const CURVE = 64;
const AXIS = 22;
const MARK_ROW = 15;
const LEFT_WIDE = 76; // room for the lanes' names
const LEFT_NARROW = 62;
const RIGHT = 14;

function laneOf(kind) {
  return kind === "text" || kind === "reasoning" || kind === "tool" ? kind : "other";
}

// What of an exchange can be looked at, in order of time: its events, and reads that completed none.
function pointsOf(view) {
  const points = view.steps.map(([at, read, kind, text, data]) => ({ at, read, kind, text, data }));
  const withEvents = new Set(points.map((point) => point.read));
  view.reads.forEach(([at], read) => {
    if (!withEvents.has(read)) points.push({ at, read, kind: "bytes", text: "", data: null });
  });
  return points.sort((one, other) => one.at - other.at || one.read - other.read);
}

// Until when an exchange goes: its end, or the last that is known of it.
function endOf(view) {
  const timing = view.timing;
  return Math.max(timing.end_us || 0, timing.last_byte_us || 0, timing.head_us || 0, 1000);
}

// Steps of 1, 2, 5 for an axis: about one tick each 90 pixels.
function niceStep(span, pixels) {
  const rough = span / Math.max(2, Math.floor(pixels / 90));
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((one) => one * magnitude).find((step) => step >= rough) || rough;
}

// The label of a tick: seconds with as many digits as the steps need, or milliseconds.
function tickLabel(us, step) {
  if (us === 0) return "0";
  if (step < 200000 && us < 1e7) return `${count(Math.round(us / 1000))} ms`;
  const digits = step >= 1e6 ? 0 : step >= 1e5 ? 1 : 2;
  return `${(us / 1e6).toFixed(digits)} s`;
}

class Waterfall {
  // `runs`: [{view, points, name}], one or two. `range`: [from, to] in microseconds, or null for all.
  constructor(box, runs, range) {
    this.box = box;
    this.runs = runs;
    this.longest = Math.max(...runs.map((run) => endOf(run.view)));
    this.range = range || [0, this.longest * 1.02];
    this.draw();
  }

  x(at) {
    return this.left + ((at - this.range[0]) / (this.range[1] - this.range[0])) * (this.width - this.left - RIGHT);
  }

  at(x) {
    const share = (x - this.left) / (this.width - this.left - RIGHT);
    return this.range[0] + share * (this.range[1] - this.range[0]);
  }

  draw() {
    this.width = Math.max(this.box.clientWidth, 260);
    this.left = this.width < 560 ? LEFT_NARROW : LEFT_WIDE;
    const svg = shape("svg", { width: this.width, "aria-hidden": "true" });
    svg.append(hatching());
    this.labels = shape("g", {}); // over everything else, or lines would cross them out
    let y = 0;
    this.runs.forEach((run, number) => { y = this.drawRun(svg, run, number, y); });
    y = this.drawCurves(svg, y + 6);
    this.drawAxis(svg, y);
    svg.setAttribute("height", y + AXIS);
    this.preview = shape("line", { class: "preview", y1: 0, y2: y, visibility: "hidden" });
    this.cursor = shape("path", { class: "cursor", visibility: "hidden" });
    this.band = shape("rect", { class: "band", y: 0, height: y, visibility: "hidden" });
    svg.append(this.band, this.preview, this.cursor, this.labels);
    this.height = y;
    this.box.replaceChildren(svg);
  }

  drawRun(svg, run, number, top) {
    const used = new Set(run.points.map((point) => laneOf(point.kind)));
    if (run.points.every((point) => point.kind === "bytes")) used.clear();
    const lanes = KINDS.filter(([kind]) => kind === "reads" || used.has(kind));
    const bottom = this.drawMarks(svg, run, number, top, lanes.length * LANE);
    const y = bottom - lanes.length * LANE;
    if (number === 0) this.top = y;
    this.drawSilence(svg, run, y, lanes.length * LANE);
    lanes.forEach(([kind, label], place) => {
      const middle = y + place * LANE + LANE / 2;
      svg.append(shape("line", { class: "lane", x1: this.left, x2: this.width - RIGHT, y1: middle, y2: middle }));
      svg.append(shape("text", { class: "lane-name", x: 0, y: middle + 4 }, label));
      const times = kind === "reads" ? run.view.reads.map(([at]) => at)
        : run.points.filter((point) => point.kind !== "bytes" && laneOf(point.kind) === kind).map((point) => point.at);
      svg.append(shape("path", { class: `ticks ${kind}`, d: this.ticks(times, middle) }));
    });
    return bottom + 4;
  }

  // One path. Where several fall on one pixel, the height of its tick says how many, against the fullest pixel.
  ticks(times, middle) {
    const columns = new Map();
    for (const at of times) {
      if (at < this.range[0] || at > this.range[1]) continue;
      const x = Math.round(this.x(at));
      columns.set(x, (columns.get(x) || 0) + 1);
    }
    let most = 1;
    for (const number of columns.values()) most = Math.max(most, number);
    const parts = [];
    for (const [x, number] of columns) {
      const half = most < 3 ? 6 : 1.5 + (6 * number) / most;
      parts.push(`M${x} ${(middle - half).toFixed(1)}v${(2 * half).toFixed(1)}`);
    }
    return parts.join("");
  }

  // Labels in as many rows as they need to stand free, each with a line down through the lanes. -> where the lanes end.
  drawMarks(svg, run, number, top, lanesHeight) {
    const marks = run.view.marks.map(([name, label, at]) => ({ label: `${label} ${duration(at)}`, at, name }));
    const end = run.view.end;
    if (end) marks.push({ label: `${endWord(run.view)} ${duration(end.at_us)}`, at: end.at_us, name: "end" });
    const shownMarks = marks.filter((mark) => mark.at >= this.range[0] && mark.at <= this.range[1]);
    const rows = placeMarks(shownMarks, (at) => this.x(at), this.width);
    const head = this.runs.length > 1 ? MARK_ROW : 0;
    if (head) svg.append(shape("text", { class: `run-name run-${number}`, x: 0, y: top + 12 }, run.name));
    const first = top + head + rows * MARK_ROW + 4;
    for (const mark of shownMarks) {
      const base = first - 4 - mark.row * MARK_ROW;
      const broken = mark.name === "end" && !wellEnded(run.view);
      const kind = broken ? "broken" : "";
      const bottom = first + lanesHeight;
      svg.append(shape("path", { class: `mark ${kind}`, d: `M${mark.x} ${base - MARK_ROW + 5}V${bottom}` }));
      const anchor = mark.flip ? { x: mark.x - 4, "text-anchor": "end" } : { x: mark.x + 4 };
      this.labels.append(shape("text", { class: `mark-label ${kind}`, y: base, ...anchor }, mark.label));
    }
    return first + lanesHeight;
  }

  // The waits for the head and for the first byte, and the longest gap, hatched: shapes that say "nothing came here".
  drawSilence(svg, run, y, height) {
    const timing = run.view.timing;
    const silences = [[0, timing.head_us === null ? endOf(run.view) : timing.head_us, ""]];
    if (timing.longest_gap_us > Math.max(0.04 * endOf(run.view), 3 * usualGap(run.view.reads))) {
      const from = timing.longest_gap_from_us;
      silences.push([from, from + timing.longest_gap_us, duration(timing.longest_gap_us)]);
    }
    if (timing.head_us !== null && timing.first_byte_us - timing.head_us > 0.04 * endOf(run.view)) {
      silences.push([timing.head_us, timing.first_byte_us, duration(timing.first_byte_us - timing.head_us)]);
    }
    const lastByte = timing.last_byte_us === null ? timing.head_us : timing.last_byte_us;
    if (run.view.end && lastByte !== null && run.view.end.at_us - lastByte > 0.04 * endOf(run.view)) {
      silences.push([lastByte, run.view.end.at_us, duration(run.view.end.at_us - lastByte)]);
    }
    for (const [from, to, label] of silences) {
      const x1 = Math.max(this.x(from), this.left);
      const x2 = Math.min(this.x(to), this.width - RIGHT);
      if (x2 - x1 < 2) continue;
      svg.append(shape("rect", { class: "silence", x: x1, y, width: x2 - x1, height, fill: "url(#hatch)" }));
      if (label && x2 - x1 > 60) {
        svg.append(shape("text", { class: "silence-label", x: (x1 + x2) / 2, y: y + height - 4 }, label));
      }
    }
  }

  // How much text there was at each time; both runs in one field, so that they can be compared.
  drawCurves(svg, top) {
    const curves = this.runs.map((run) => curveOf(run.points));
    const most = Math.max(...curves.map((curve) => curve.total));
    if (!most) return top;
    const bottom = top + CURVE;
    const unit = curves.some((curve) => curve.characters) ? "characters" : "bytes";
    svg.append(shape("text", { class: "lane-name", x: 0, y: top + 10 }, unit));
    svg.append(shape("text", { class: "lane-name", x: 0, y: top + 24 }, count(most)));
    svg.append(shape("line", { class: "axis", x1: this.left, x2: this.width - RIGHT, y1: bottom, y2: bottom }));
    curves.forEach((curve, number) => {
      const y = (value) => (bottom - (value / most) * (CURVE - 4)).toFixed(1);
      const right = Math.min(this.x(endOf(this.runs[number].view)), this.width - RIGHT);
      const parts = [`M${this.x(Math.max(0, this.range[0])).toFixed(1)} ${y(0)}`];
      let last = -1;
      for (const [at, value] of curve.values) {
        if (at > this.range[1]) break;
        const x = Math.max(this.x(at), this.left).toFixed(1);
        parts.push(x === last ? `V${y(value)}` : `H${x}V${y(value)}`);
        last = x;
      }
      if (right > this.left) parts.push(`H${right.toFixed(1)}`);
      svg.append(shape("path", { class: `curve run-${number}`, d: parts.join("") }));
    });
    return bottom;
  }

  drawAxis(svg, y) {
    const [from, to] = this.range;
    const step = niceStep(to - from, this.width - this.left - RIGHT);
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
      const x = this.x(at);
      svg.append(shape("line", { class: "axis", x1: x, x2: x, y1: y, y2: y + 4 }));
      const anchor = x > this.width - 40 ? "end" : x < this.left + 8 ? "start" : "middle";
      svg.append(shape("text", { class: "tick", x, y: y + 16, "text-anchor": anchor }, tickLabel(at, step)));
    }
    svg.append(shape("text", { class: "lane-name", x: 0, y: y + 16 }, "since sent"));
  }

  // Lines that follow the pointer and the selection.
  point(line, at) {
    const inside = at !== null && at >= this.range[0] && at <= this.range[1];
    line.setAttribute("visibility", inside ? "visible" : "hidden");
    if (!inside) return;
    const x = this.x(at);
    if (line === this.cursor) line.setAttribute("d", `M${x} ${this.top - 3}V${this.height}M${x - 4} ${this.height + 6}l4 -6l4 6z`);
    else { line.setAttribute("x1", x); line.setAttribute("x2", x); }
  }

  showBand(from, to) {
    const visibility = from === null ? "hidden" : "visible";
    this.band.setAttribute("visibility", visibility);
    if (from === null) return;
    this.band.setAttribute("x", Math.min(from, to));
    this.band.setAttribute("width", Math.abs(to - from));
  }
}

// Gives each mark its `x`, `row` (0 is the lowest) and `flip`: where there is no room to the right, the label stands to
// the left of its line. A label stands above every line that would cross it. -> how many rows that takes.
function placeMarks(marks, x, width) {
  for (const mark of marks) {
    const room = mark.label.length * 6.1 + 10;
    mark.x = x(mark.at);
    mark.flip = mark.x + room > width;
    [mark.from, mark.to] = mark.flip ? [mark.x - room, mark.x] : [mark.x, mark.x + room];
  }
  // From the lowest row up: of those that stand to the right of their lines the last, of the others the first.
  const ordered = [...marks].sort((one, other) => one.x - other.x);
  const placed = [];
  for (const mark of [...ordered.filter((one) => !one.flip).reverse(), ...ordered.filter((one) => one.flip)]) {
    const under = placed.filter((other) => other.x > mark.from && other.x < mark.to);
    mark.row = Math.max(0, ...under.map((other) => other.row + 1));
    const crowded = (other) => other.row === mark.row && other.from < mark.to && other.to > mark.from;
    while (placed.some(crowded)) mark.row += 1;
    placed.push(mark);
  }
  return Math.max(0, ...placed.map((mark) => mark.row + 1));
}

// The median of the times between two reads.
function usualGap(reads) {
  const gaps = reads.slice(1).map(([at], place) => at - reads[place][0]).sort((one, other) => one - other);
  return gaps.length ? gaps[gaps.length >> 1] : 0;
}

function curveOf(points) {
  const characters = points.some((point) => point.text && laneOf(point.kind) !== "other");
  let total = 0;
  const values = [];
  for (const point of points) {
    const news = characters ? (laneOf(point.kind) === "other" ? 0 : point.text.length) : point.size || 0;
    total += news;
    if (news) values.push([point.at, total]);
  }
  return { values, total, characters };
}

// Whether the answer came to its end: a 401 did, and a stream that just stops before its [DONE] did not.
function wellEnded(view) {
  const broke = view.diagnosis.findings.some(([name]) => name === "broken_stream");
  return view.end.how === "eof" && view.end.whole && !broke;
}

const END_WORDS = { eof: "end", reset: "✕ reset", timeout: "✕ timeout", client_gone: "✕ client left", unreachable: "✕ unreachable" };

function endWord(view) {
  const word = END_WORDS[view.end.how] || `✕ ${view.end.how}`;
  return word === "end" && !wellEnded(view) ? "✕ cut off" : word;
}

function hatching() {
  const pattern = shape("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse" });
  pattern.append(shape("path", { class: "hatch", d: "M-1 7L7 -1M-1 1L1 -1M5 7L7 5" }));
  return shape("defs", {}, pattern);
}

// --- the recording: a lane for each call, a bar for each attempt, the waits between ------------------------------------

const ROW = 16;

// `pick(id)` is called when a bar is clicked; by keyboard the list of exchanges does the same. Last on the right is room
// for the cross of one that failed.
function drawRecording(box, views, pick) {
  const width = Math.max(box.clientWidth, 260);
  const names = views.map(nameOf);
  const left = Math.min(Math.max(34, Math.max(...names.map((name) => name.length)) * 6.4 + 10), width / 3);
  const rows = new Map(); // "run:call" -> its attempts
  for (const view of views) {
    const key = `${view.run}:${view.call}`;
    rows.set(key, [...(rows.get(key) || []), view]);
  }
  const longest = Math.max(...views.map((view) => view.start_us + endOf(view)), 1);
  const x = (at) => left + (at / longest) * (width - left - RIGHT - 4);
  const svg = shape("svg", { width, height: rows.size * ROW + AXIS, role: "img", "aria-label": laneWords(rows) });
  let y = 0;
  for (const attempts of rows.values()) {
    const middle = y + ROW / 2;
    svg.append(shape("text", { class: "lane-name", x: 0, y: middle + 4 }, nameOf(attempts[0])));
    svg.append(shape("line", { class: "lane", x1: left, x2: width - RIGHT, y1: middle, y2: middle }));
    attempts.forEach((view, place) => {
      if (place > 0) drawWait(svg, attempts[place - 1], view, x, middle);
      svg.append(bar(view, x, middle, pick));
    });
    y += ROW;
  }
  const step = niceStep(longest, width - left - RIGHT);
  svg.append(shape("line", { class: "axis", x1: left, x2: width - RIGHT, y1: y, y2: y }));
  for (let at = 0; at <= longest; at += step) {
    const anchor = x(at) > width - 40 ? "end" : at === 0 ? "start" : "middle";
    svg.append(shape("line", { class: "axis", x1: x(at), x2: x(at), y1: y, y2: y + 4 }));
    svg.append(shape("text", { class: "tick", x: x(at), y: y + 16, "text-anchor": anchor }, tickLabel(at, step)));
  }
  box.replaceChildren(svg);
}

// Hollow while waiting for the head, full while the answer comes; a cross at the end of one that failed.
function bar(view, x, middle, pick) {
  const from = x(view.start_us);
  const headAt = view.timing.head_us === null ? endOf(view) : view.timing.head_us;
  const head = x(view.start_us + headAt);
  const to = Math.max(x(view.start_us + endOf(view)), from + 3);
  const group = shape("g", { class: `bar ${view.diagnosis.level}`, "data-id": view.id });
  group.append(shape("title", {}, `#${view.number} ${view.outcome}: ${view.diagnosis.findings[0][2]}`));
  group.append(shape("rect", { class: "hit", x: from - 2, y: middle - 8, width: to - from + 4, height: 16 }));
  group.append(shape("rect", { class: "waiting", x: from, y: middle - 3.5, width: Math.max(head - from, 1), height: 7 }));
  group.append(shape("rect", { class: "coming", x: head, y: middle - 4, width: Math.max(to - head, 2), height: 8 }));
  if (view.diagnosis.level === "broken" || (view.head && view.head.status >= 400)) {
    group.append(shape("path", { class: "cross", d: `M${to + 3} ${middle - 3.5}l7 7m0 -7l-7 7` }));
  }
  group.addEventListener("click", () => pick(view.id));
  return group;
}

function drawWait(svg, before, after, x, middle) {
  const from = x(before.start_us + endOf(before)) + 12;
  const to = x(after.start_us) - 2;
  if (to <= from) return;
  const waited = after.start_us - before.start_us - endOf(before);
  svg.append(shape("path", { class: "wait", d: `M${from} ${middle}H${to}m-4 -3l4 3l-4 3` }));
  if (to - from > 76) {
    svg.append(shape("text", { class: "wait-label", x: (from + to) / 2, y: middle + 4 }, `waited ${duration(waited)}`));
  }
}

function laneWords(rows) {
  const calls = [...rows.values()];
  const retried = calls.filter((attempts) => attempts.length > 1);
  const words = retried.map((attempts) => `call ${attempts[0].call} in ${attempts.length} attempts`);
  return [`${plural(calls.length, "call")} over time`, ...words].join("; ");
}

// --- the histogram of gaps --------------------------------------------------------------------------------------------

function drawGaps(box, gaps) {
  const total = gaps.counts.reduce((sum, one) => sum + one, 0);
  if (!total) {
    box.replaceChildren(make("p", "quiet", "Fewer than two pieces: no gaps."));
    return;
  }
  const most = Math.max(...gaps.counts);
  const used = gaps.counts.map((one, place) => (one ? place : -1)).filter((place) => place >= 0);
  const table = make("table", "gaps");
  const words = (ms) => (ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`);
  for (let place = used[0]; place <= used[used.length - 1]; place += 1) {
    const ends = gaps.ends_ms;
    const label = place === 0 ? `under ${words(ends[0])}`
      : place === ends.length ? `${words(ends[place - 1])} or more` : `${words(ends[place - 1])} – ${words(ends[place])}`;
    const fill = make("span", "fill");
    fill.style.width = `${(100 * gaps.counts[place]) / most}%`;
    const share = `${Math.round((100 * gaps.counts[place]) / total)} %`;
    table.append(make("tr", "", make("th", "", label), make("td", "number", count(gaps.counts[place])),
      make("td", "number quiet", share), make("td", "space", fill)));
  }
  box.replaceChildren(table);
}
