"use strict";
// The page itself: which exchange is chosen, which piece of it, and what each section then shows. All figures and words
// about them come from Python, in the data; live, as `view` events from the address `events` beside this page.

const page = JSON.parse(byId("data").textContent);
const views = new Map(); // id -> view, in order
let selected = null; // the exchange's id
let compared = null; // the one that is laid over it
let points = []; // what of the exchange can be looked at, see pointsOf
let current = 0; // the chosen point
let waterfall = null;
let range = null; // what part of the time is shown; null: all
const openParts = new Set(); // which raw bytes are unfolded, so that a live redraw leaves them open

const nameOf = (view) => (page.runs.length > 1 ? `${page.runs[view.run].name}#${view.number}` : `#${view.number}`);
const endless = (text) => text.length > 160 ? `${text.slice(0, 160)}…` : text;

// --- the list of exchanges ------------------------------------------------------------------------------------------

function drawList() {
  const list = byId("list");
  list.replaceChildren(...Array.from(views.values(), listRow));
  list.setAttribute("aria-activedescendant", selected ? `row-${selected}` : "");
}

function listRow(view) {
  const level = view.diagnosis.level;
  const row = make("li", `row ${level}`);
  row.id = `row-${view.id}`;
  row.dataset.id = view.id;
  row.setAttribute("role", "option");
  row.setAttribute("aria-selected", String(view.id === selected));
  const mark = make("span", `level ${level}`, page.levels[level]);
  mark.title = level;
  const finish = view.timing.finish_reason && level !== "broken" ? ` ${view.timing.finish_reason}` : "";
  const first = make("div", "row-first", mark, make("b", "", nameOf(view)), make("span", "outcome", visible(view.outcome + finish)),
    make("span", "number", view.end ? duration(endOf(view)) : "open"));
  const place = view.path.endsWith("/chat/completions") ? "" : view.path.replace(/^.*\/v1(?=\/)/, "");
  const facts = [place, view.model, view.stream ? plural(view.timing.events, "event") : ""];
  row.append(first, make("div", "row-second", visible(facts.filter(Boolean).join("  "))));
  if (view.attempt > 1 || view.wait_s !== null) {
    const words = view.attempt > 1 ? [`attempt ${view.attempt} of #${view.call}`] : [];
    if (view.wait_s !== null) words.push(`waited ${view.wait_s.toFixed(1)} s`);
    row.append(make("div", "row-second", words.join(", ")));
  }
  return row;
}

function drawTotals() {
  const all = Array.from(views.values());
  const cost = all.reduce((sum, view) => sum + (view.cost_usd || 0), 0);
  const unknown = all.filter((view) => view.cost_usd === null && view.head && view.head.status < 300).length;
  const words = [page.runs.map((run) => run.name).join("  and  "), plural(all.length, "exchange")];
  if (cost) words.push(dollars(cost));
  if (unknown) words.push(`${unknown} of unknown cost`);
  for (const run of page.runs) words.push(...run.flaws.slice(0, 3));
  byId("totals").replaceChildren(...words.map((word) => make("span", "", visible(word))));
}

function drawLanes() {
  byId("recording").hidden = views.size < 2;
  if (views.size < 2) return;
  drawRecording(byId("lanes"), Array.from(views.values()), select);
  markBar();
}

function markBar() {
  for (const bar of byId("lanes").querySelectorAll(".bar")) bar.classList.toggle("chosen", bar.dataset.id === selected);
}

function select(id) {
  if (!views.has(id)) return;
  selected = id;
  if (compared === id) compared = null;
  range = null;
  current = -1;
  openParts.clear();
  drawExchange();
  for (const row of byId("list").children) row.setAttribute("aria-selected", String(row.dataset.id === id));
  byId("list").setAttribute("aria-activedescendant", `row-${id}`);
  markBar();
  const row = byId(`row-${id}`);
  if (row) row.scrollIntoView({ block: "nearest" });
}

byId("list").addEventListener("click", (event) => {
  const row = event.target.closest("li");
  if (row) select(row.dataset.id);
});
byId("list").addEventListener("keydown", (event) => {
  const ids = Array.from(views.keys());
  const place = ids.indexOf(selected);
  const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: ids.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  select(ids[Math.min(Math.max(to, 0), ids.length - 1)]);
});

// --- one exchange ---------------------------------------------------------------------------------------------------

// `again`: the same exchange has grown; what was scrolled stays where it is.
function drawExchange(again) {
  const view = views.get(selected);
  byId("main").hidden = !view;
  byId("main").classList.toggle("nothing-came", Boolean(view) && !view.reads.length);
  byId("empty").hidden = Boolean(view);
  if (!view) {
    byId("empty").textContent = page.live ? "Waiting for the first call through the tap." : "This recording holds no exchange.";
    return;
  }
  points = pointsOf(view);
  if (current < 0 || current >= points.length) current = Math.max(points.findIndex((point) => point.kind === "text"), 0);
  byId("address").textContent = visible(`${nameOf(view)}  ${view.request.method} ${view.request.url}`);
  drawDiagnosis(view);
  drawFigures(view);
  drawCompare(view);
  drawWaterfall();
  drawEvents();
  const scrolled = again ? Array.from(document.querySelectorAll(SCROLLED), (box) => box.scrollTop) : [];
  drawText(view);
  drawMessages(view);
  document.querySelectorAll(SCROLLED).forEach((box, place) => { box.scrollTop = scrolled[place] || 0; });
  byId("gaps-says").textContent = `between two ${view.gaps.between}`;
  drawGaps(byId("gaps"), view.gaps);
  drawUsage(view);
  showPoint(current, false, again);
}

const SCROLLED = ".deltas, .message pre";

function drawDiagnosis(view) {
  const box = byId("diagnosis");
  box.replaceChildren();
  view.diagnosis.findings.forEach(([name, level, says, cure], place) => {
    const mark = make("span", `level ${level}`, page.levels[level]);
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", level);
    const words = make("div", "", make("p", place ? "says" : "says headline", visible(says)));
    if (cure) words.append(make("p", "cure", visible(cure)));
    const finding = make("div", place ? "finding" : "finding first", mark, words);
    finding.dataset.name = name;
    box.append(finding);
  });
  for (const note of view.notes) box.append(make("p", "cure", visible(`Note of the recorder: ${note}`)));
}

const FIGURES = [
  ["head", (timing) => duration(timing.head_us)],
  ["first event", (timing) => duration(timing.first_event_us)],
  ["first text", (timing) => duration(timing.first_text_us)],
  ["total", (timing) => duration(timing.total_us)],
  ["longest gap", (timing) => (timing.reads > 1 ? duration(timing.longest_gap_us) : "–")],
  ["events", (timing) => count(timing.events)],
  ["reads", (timing) => count(timing.reads)],
  ["tokens", (timing) => timing.completion_tokens === null ? "–" : `${count(timing.prompt_tokens || 0)} → ${count(timing.completion_tokens)}`],
  ["tokens/s", (timing) => (timing.tokens_per_s === null ? "–" : timing.tokens_per_s.toFixed(1))],
];

function drawFigures(view) {
  const other = compared ? views.get(compared) : null;
  byId("figures").replaceChildren(...FIGURES.map(([label, show]) => {
    const row = make("div", "", make("dt", "", label), make("dd", "", show(view.timing)));
    if (other) row.append(make("dd", "other", show(other.timing)));
    return row;
  }));
}

function drawCompare(view) {
  byId("compare-label").hidden = views.size < 2;
  if (document.activeElement === byId("compare") && compared) return; // somebody is choosing
  const options = [new Option("nothing", "")];
  for (const one of views.values()) if (one !== view) options.push(new Option(nameOf(one), one.id));
  byId("compare").replaceChildren(...options);
  byId("compare").value = compared || "";
  const told = byId("comparison");
  told.hidden = !(page.comparison && compared === page.compared && selected === page.selected);
  told.textContent = visible(page.comparison);
}

byId("compare").addEventListener("change", (event) => {
  compared = event.target.value || null;
  drawExchange();
});

// --- the waterfall, and the piece that is looked at -------------------------------------------------------------------

function drawWaterfall() {
  const runs = [{ view: views.get(selected), points, name: nameOf(views.get(selected)) }];
  if (compared && views.has(compared)) {
    const other = views.get(compared);
    runs.push({ view: other, points: pointsOf(other), name: nameOf(other) });
  }
  for (const run of runs) for (const point of run.points) if (point.read < run.view.reads.length) {
    const [, text, base64] = run.view.reads[point.read];
    point.size = text === null ? base64.length * 0.75 : text.length;
  }
  waterfall = new Waterfall(byId("waterfall"), runs, range);
  if (points.length) waterfall.point(waterfall.cursor, points[current].at);
}

// Shows a point: in the inspector, in the table, in the text. `preview`: only while the pointer is there. `still`: the
// table is not scrolled to it.
function showPoint(place, preview, still) {
  const box = byId("waterfall");
  box.setAttribute("aria-valuemin", points.length ? 1 : 0);
  box.setAttribute("aria-valuemax", points.length);
  if (!points.length) {
    byId("piece").textContent = "Nothing came.";
    byId("piece-bytes").textContent = "";
    return;
  }
  place = Math.min(Math.max(place, 0), points.length - 1);
  const point = points[place];
  const view = views.get(selected);
  if (!preview) {
    current = place;
    keepInRange(point.at);
    waterfall.point(waterfall.cursor, point.at);
    if (still) drawRows();
    else scrollToEvent(place);
    for (const old of document.querySelectorAll(".delta.chosen")) old.classList.remove("chosen");
    const delta = byId(`delta-${place}`);
    if (delta) delta.classList.add("chosen");
  }
  waterfall.point(waterfall.preview, preview ? point.at : null);
  const before = place ? `+${duration(point.at - points[place - 1].at)}` : "first";
  const [, text, base64] = view.reads[point.read] || [0, ""];
  const bytes = bytesOf(text, base64);
  const words = [`${place + 1} of ${count(points.length)}`, `${milliseconds(point.at)} ms`, before, point.kind,
    `read ${point.read + 1}, ${plural(Math.round(bytes.size), "byte")}`];
  byId("piece").replaceChildren(...words.map((word) => make("span", "", word)));
  const pre = byId("piece-bytes");
  showBytes(pre, bytes, point.data);
  // What was compressed, or fell apart into several reads, is shown as the event that came of it, too.
  if (point.data && (text === null || !text.includes(point.data))) pre.append(make("span", "quiet", `\nthe event: ${visible(point.data)}`));
  if (!preview) {
    box.setAttribute("aria-valuenow", place + 1);
    box.setAttribute("aria-valuetext", `${words.join(", ")}${point.text ? `: ${visible(point.text)}` : ""}`);
  }
}

// The bytes of a read, and in it, marked and in sight, the event that is looked at: a read may hold hundreds.
function showBytes(pre, bytes, data) {
  const from = data && bytes.raw === undefined ? bytes.text.indexOf(data) : -1;
  if (from < 0 || data.length * 2 > bytes.text.length || data.length > 20000) {
    pre.replaceChildren(...shownBytes(bytes, 20000));
    pre.scrollTop = 0;
    return;
  }
  const before = bytes.text.slice(Math.max(from - 10000, 0), from);
  const after = bytes.text.slice(from + data.length, from + data.length + 10000);
  const mark = make("mark", "", ...visibleNodes(data));
  pre.replaceChildren(...visibleNodes(before), mark, ...visibleNodes(after));
  pre.scrollTop = mark.offsetTop - pre.offsetTop - 20;
}

function nearest(at) {
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].at < at) low = middle + 1;
    else high = middle;
  }
  return low > 0 && at - points[low - 1].at < points[low].at - at ? low - 1 : low;
}

function setRange(from, to) {
  const whole = waterfall.longest * 1.02;
  const span = Math.max(Math.min(to - from, whole), 200); // microseconds: nearer, there is nothing to see
  const start = Math.min(Math.max(from, 0), whole - span);
  range = span >= whole * 0.999 ? null : [start, start + span];
  drawWaterfall();
}

function zoom(factor) {
  const [from, to] = waterfall.range;
  const centre = points.length ? points[current].at : (from + to) / 2;
  const middle = centre >= from && centre <= to ? centre : (from + to) / 2;
  setRange(middle - ((to - from) * factor) / 2, middle + ((to - from) * factor) / 2);
}

function keepInRange(at) {
  const [from, to] = waterfall.range;
  if (!range || (at >= from && at <= to)) return;
  setRange(at - (to - from) / 2, at + (to - from) / 2);
}

const KEYS = {
  ArrowRight: () => current + 1, ArrowDown: () => current + 1, ArrowLeft: () => current - 1, ArrowUp: () => current - 1,
  PageDown: () => current + 20, PageUp: () => current - 20, Home: () => 0, End: () => points.length - 1,
};
const ZOOMS = { "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: () => { range = null; drawWaterfall(); } };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (KEYS[event.key]) showPoint(KEYS[event.key](), false);
  else if (ZOOMS[event.key]) ZOOMS[event.key]();
  else return;
  event.preventDefault();
}
byId("waterfall").addEventListener("keydown", onKey);
byId("events").addEventListener("keydown", onKey);
byId("zoom-in").addEventListener("click", ZOOMS["+"]);
byId("zoom-out").addEventListener("click", ZOOMS["-"]);
byId("zoom-all").addEventListener("click", ZOOMS[0]);

let dragFrom = null;
const within = (event) => event.clientX - byId("waterfall").getBoundingClientRect().left;
byId("waterfall").addEventListener("pointerdown", (event) => { dragFrom = within(event); });
byId("waterfall").addEventListener("pointermove", (event) => {
  if (!waterfall || !points.length) return;
  const x = within(event);
  if (dragFrom !== null && Math.abs(x - dragFrom) > 5) waterfall.showBand(dragFrom, x);
  else showPoint(nearest(waterfall.at(x)), true);
});
byId("waterfall").addEventListener("pointerup", (event) => {
  const x = within(event);
  if (dragFrom !== null && Math.abs(x - dragFrom) > 5) setRange(waterfall.at(Math.min(x, dragFrom)), waterfall.at(Math.max(x, dragFrom)));
  else if (points.length) showPoint(nearest(waterfall.at(x)), false);
  dragFrom = null;
});
byId("waterfall").addEventListener("pointerleave", () => {
  dragFrom = null;
  if (waterfall) { waterfall.showBand(null); showPoint(current, true); waterfall.point(waterfall.preview, null); }
});

// --- the table of pieces: as many rows as can be seen, whatever their number ------------------------------------------

const ROW_HEIGHT = 20;

function drawEvents() {
  const box = byId("events");
  if (!box.firstChild) box.append(make("div", "spacer"));
  box.firstChild.style.height = `${points.length * ROW_HEIGHT}px`;
  drawRows();
}

function drawRows() {
  const box = byId("events");
  const spacer = box.firstChild;
  if (!spacer) return;
  const first = Math.max(Math.floor(box.scrollTop / ROW_HEIGHT) - 5, 0);
  const last = Math.min(first + Math.ceil(box.clientHeight / ROW_HEIGHT) + 10, points.length);
  const total = endOf(views.get(selected));
  const rows = [];
  for (let place = first; place < last; place += 1) rows.push(eventRow(place, total));
  spacer.replaceChildren(...rows);
  box.setAttribute("aria-activedescendant", `event-${current}`);
}

function eventRow(place, total) {
  const point = points[place];
  const gap = place ? point.at - points[place - 1].at : point.at;
  const bar = make("span", `gap-bar ${laneOf(point.kind)}`);
  bar.style.left = `${(98 * (point.at - gap)) / total}%`; // the rest is for the width of the last tick
  bar.style.width = `${(98 * gap) / total}%`;
  const row = make("div", "event", make("span", "number quiet", count(place + 1)), make("span", "number", milliseconds(point.at)),
    make("span", "number quiet", `+${milliseconds(gap)}`), make("span", "track", bar), make("span", "kind", point.kind),
    make("span", "news", point.text ? readable(endless(point.text), true).replace(/\n/g, "") : visible(endless(point.data || "")).replace(/\n/g, "")));
  row.id = `event-${place}`;
  row.style.top = `${place * ROW_HEIGHT}px`;
  row.setAttribute("role", "option");
  row.setAttribute("aria-selected", String(place === current));
  row.setAttribute("aria-setsize", points.length);
  row.setAttribute("aria-posinset", place + 1);
  return row;
}

function scrollToEvent(place) {
  const box = byId("events");
  const top = place * ROW_HEIGHT;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + ROW_HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW_HEIGHT - box.clientHeight;
  drawRows();
}

byId("events").addEventListener("scroll", drawRows, { passive: true });
byId("events").addEventListener("click", (event) => {
  const row = event.target.closest(".event");
  if (row) showPoint(Number(row.id.slice(6)), false);
});

// --- start ------------------------------------------------------------------------------------------------------------

function drawAll() {
  drawTotals();
  drawList();
  drawLanes();
  drawExchange();
}

function start() {
  for (const view of page.views) views.set(view.id, view);
  selected = views.has(page.selected) ? page.selected : views.keys().next().value || null;
  compared = views.has(page.compared) ? page.compared : null;
  current = -1;
  drawAll();
  let frame = 0;
  new ResizeObserver(() => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => { if (selected) { drawLanes(); drawWaterfall(); drawRows(); } });
  }).observe(document.body);
  if (page.live) listen();
}

// Live: a view replaces the one with its id. Who looks at an exchange keeps looking at it; a new call is chosen only as
// long as nobody has chosen one.
function listen() {
  const source = new EventSource("events");
  let chosenByHand = false;
  for (const kind of ["pointerdown", "keydown"]) {
    document.querySelector(".columns").addEventListener(kind, () => { chosenByHand = true; });
  }
  source.addEventListener("view", (event) => {
    const view = JSON.parse(event.data);
    const isNew = !views.has(view.id);
    views.set(view.id, view);
    drawTotals();
    drawList();
    drawLanes();
    if (isNew && (!selected || !chosenByHand)) select(view.id);
    else if (view.id === selected || view.id === compared) drawExchange(true);
  });
  source.addEventListener("forget", (event) => {
    const id = JSON.parse(event.data);
    views.delete(id);
    if (selected === id) selected = views.keys().next().value || null;
    drawAll();
  });
  source.addEventListener("open", () => { byId("what").textContent = "tap, live"; });
  source.addEventListener("error", () => { byId("what").textContent = "tap, not connected"; });
}

start();
