// The risk desk's page. What comes from the appliance becomes text, never markup. Nothing old is shown as what is: where the stream is
// silent, the page says so and turns grey.
"use strict";

const TIERS = ["normal", "elevated", "high", "critical", "unknown"];
// Darker is calmer; blue, orange and yellow are told apart by every eye, and each has a mark of its own.
const COLOURS = { normal: "#1f3a5f", elevated: "#4aa3df", high: "#e69f00", critical: "#f7f052", unknown: "#2a2f37" };
const SILENT_MS = 8000;
const EVENTS_KEPT = 200;
const WORST_SHOWN = 200;
const SAMPLES_KEPT = 600;
const POSITIONS_EVERY_MS = 5000;
const RETRY_MS = 1000;
const GAP = 2;

const $ = (id) => document.getElementById(id);
const RANKS = { critical: 4, high: 3, elevated: 2, normal: 1, unknown: 0 };
const rank = (row) => RANKS[row.tier] ?? 0;
const worse = (a, b) => rank(b) - rank(a) || (b.score ?? -1) - (a.score ?? -1) || (a.symbol < b.symbol ? -1 : 1);
const alarming = (row) => rank(row) >= 2;
const number = (value) => (typeof value === "number" ? value.toLocaleString("en-US") : String(value));
const score = (value) => (value === null || value === undefined ? "" : value.toFixed(6));
const time = (stamp) => (stamp ? stamp.slice(11, 23) : "");
const nanos = (n) => (n < 1e3 ? `${n} ns` : n < 1e6 ? `${(n / 1e3).toFixed(1)} µs` : n < 1e9 ? `${(n / 1e6).toFixed(1)} ms` : `${(n / 1e9).toFixed(1)} s`);

const all = new Map(); // by symbol
let shown = []; // what the map shows, in its order
let chosen = null; // the instrument that is shown beside
let cursor = 0; // the place in the map
let status = null;
let heard = 0; // when the stream last said that it is so
let cells = { size: 18, width: 18, gap: GAP, columns: 1, dirty: true };
let reading = 0; // how often everything was read anew
let meanwhile = []; // what the stream told while it is; null when it is not
let events = [];
let newest = 0;
const verdicts = new Map(); // by reason: what was counted, oldest first
let limitsSeen = new Map(); // of the chosen instrument: effective values by limit

// --- what is shown of a row -------------------------------------------------

function cell(text, options = {}) {
  const made = document.createElement("td");
  if (options.number) made.className = "number";
  if (options.wraps) made.className = "text";
  if (options.open) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => choose(options.open));
    made.append(button);
  } else if (text instanceof Node) {
    made.append(text);
  } else {
    made.textContent = text ?? "";
  }
  return made;
}

function rows(id, lists) {
  const made = lists.map((list) => {
    const row = document.createElement("tr");
    row.append(...list);
    return row;
  });
  if (made.length === 0) {
    const row = document.createElement("tr");
    const none = cell("none");
    none.colSpan = 9;
    row.append(none);
    made.push(row);
  }
  // Rebuilt under the keyboard's focus, it keeps the focus on what is called the same.
  const focused = $(id).contains(document.activeElement) ? document.activeElement.textContent : null;
  $(id).replaceChildren(...made);
  if (focused !== null) [...$(id).querySelectorAll("button")].find((button) => button.textContent === focused)?.focus();
}

function figures(id, pairs) {
  $(id).replaceChildren(...pairs.map(([name, value]) => {
    const [box, term, what] = ["div", "dt", "dd"].map((kind) => document.createElement(kind));
    term.textContent = name;
    what.textContent = value;
    box.append(term, what);
    return box;
  }));
}

function svg(kind, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// A line through values; `label` says what it shows to whoever does not see it.
function line(values, width, height, max, label) {
  const box = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", preserveAspectRatio: "none", width, height, "aria-label": label });
  const x = (n) => (values.length < 2 ? 0 : (n / (values.length - 1)) * width);
  const y = (value) => height - 2 - (value / (max || 1)) * (height - 4);
  let points = [];
  const draw = () => {
    if (points.length) box.append(svg("polyline", { points: points.join(" "), fill: "none", stroke: "#e6edf3", "stroke-width": 1.5, "vector-effect": "non-scaling-stroke" }));
    points = [];
  };
  values.forEach((value, n) => (value === null ? draw() : points.push(`${x(n).toFixed(1)},${y(value).toFixed(1)}`)));
  draw();
  return box;
}

// --- the appliance as a whole ------------------------------------------------

function word() {
  if (!status || meanwhile || Date.now() - heard > SILENT_MS) return "not live";
  if (status.halt) return "halted";
  if (status.closed) return "closed";
  return status.reduce_only ? "reduce only" : "open";
}

function showState() {
  const now = word();
  const pill = $("state");
  if (pill.textContent !== now) pill.textContent = now;
  pill.dataset.state = now;
  document.body.classList.toggle("not-live", now === "not live");
  document.title = `${now === "open" ? "" : now.toUpperCase() + " - "}Portcullis risk desk`;
  if (now !== "not live") return;
  say(status ? `Not live: what is shown is of ${time(status.now)} UTC` : "Not live: the appliance has not been heard yet");
}

function say(text) {
  $("banner").hidden = !text;
  if ($("banner").textContent !== text) $("banner").textContent = text;
}

function showStatus() {
  say("");
  showState();
  $("instance").textContent = status.instance;
  $("clock").textContent = `${status.now.slice(0, 19).replace("T", " ")} UTC`;
  $("why").textContent = [status.closed, ...status.alarms].filter(Boolean).join("; ");
  const orders = status.orders ? [["accepted", number(status.orders.accepted)], ["flagged", number(status.orders.flagged)], ["rejected", number(status.orders.rejected)]] : [];
  figures("figures", [...TIERS.map((tier) => [tier, number(status.tiers[tier])]), ["breakers", number(status.breakers)], ...orders, ["scorer", status.scorer.backend]]);
  rows("feeds", status.feeds.flatMap((feed) => [
    [cell(feed.name), cell(feed.state), cell(number(feed.messages), { number: true }), cell(number(feed.missing), { number: true })],
    ...feed.lines.map((one) => [cell(`${feed.name} ${one.channel}/${one.line} ${one.group}`), cell(one.dead_since ? `DEAD since ${time(one.dead_since)}` : "heard"), cell(number(one.messages), { number: true }), cell(number(one.missing), { number: true })]),
  ]));
  rows("latency", (status.hops ?? []).map((hop) => [cell(hop.hop), ...[hop.p50_ns, hop.p99_ns, hop.p999_ns, hop.max_ns].map((n) => cell(nanos(n), { number: true }))]));
  showVerdicts();
}

function showVerdicts() {
  const counted = Object.entries(status.verdicts ?? {}).map(([code, count]) => [Number(code), count]);
  for (const [code, count] of counted) keep(verdicts, code, count);
  const list = counted.map(([code, count]) => {
    const seen = verdicts.get(code);
    const each = seen.slice(1).map((value, n) => Math.max(0, value - seen[n]));
    const most = Math.max(0, ...each);
    const name = code === 0 ? "accepted" : `rejected, ${code}`;
    return [cell(name), cell(number(count), { number: true }), cell(line(each, 160, 22, most, `${name}: at most ${most} a second`))];
  });
  rows("verdicts", list);
}

function keep(series, name, value) {
  if (!series.has(name)) series.set(name, []);
  const seen = series.get(name);
  seen.push(value);
  if (seen.length > SAMPLES_KEPT) seen.shift();
}

// --- lists ---------------------------------------------------------------------

const LISTS = {
  alerts: (list) => list.rows.map((row) => [cell(row.severity), cell(row.kind), cell(row.scope), cell(time(row.since)), cell(`${row.text}${row.ended ? " (over)" : ""}${row.acknowledged ? ` (noted by ${row.acknowledged.by})` : ""}`, { wraps: true })]),
  breakers: (list) => list.rows.map((row) => [cell(row.scope ?? "firm: halt"), cell(row.state), cell(row.cause), cell(row.by), cell(time(row.since)), cell([row.reason, row.ticket].filter(Boolean).join(", "), { wraps: true })]),
  sessions: (list) => list.rows.map((row) => [cell(row.client), cell(`${row.state}${row.in_doubt ? ", positions in doubt" : ""}`), ...[row.open_orders, row.accepted, row.rejected].map((n) => cell(number(n), { number: true }))]),
  positions: (list) => list.rows.map((row) => [cell(row.client), cell(row.strategy), cell(row.symbol, { open: row.symbol }), ...[row.position, row.worst_long, row.worst_short].map((n) => cell(number(n), { number: true })), cell(row.in_doubt ? "in doubt" : "")]),
};

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

const retries = new Map(); // by list: the next try after one that failed

async function showList(name) {
  if (!LISTS[name]) return;
  try {
    const list = await get(`/v1/${name}`);
    const made = LISTS[name](list);
    if (list.more) made.push([cell(`and ${number(list.more)} more`)]);
    rows(name, made);
  } catch (error) {
    console.warn(String(error));
    clearTimeout(retries.get(name));
    retries.set(name, setTimeout(() => showList(name), RETRY_MS));
  }
}

function showEvents(list) {
  for (const event of list.rows) {
    if (event.seq <= newest) continue;
    newest = event.seq;
    events.unshift(event);
  }
  events = events.slice(0, EVENTS_KEPT);
  rows("events", events.map((row) => [cell(time(row.at)), cell(row.severity), cell(row.scope), cell(row.count > 1 ? `${row.text} (${number(row.count)} times)` : row.text, { wraps: true })]));
}

// Until it is read, what the map shows is not what is: it is asked again and again, and the page says that it is not live.
async function readAnew() {
  const turn = (reading += 1);
  meanwhile = [];
  while (turn === reading) {
    try {
      await readAll(turn);
      return;
    } catch (error) {
      console.warn(String(error));
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
}

async function readAll(turn) {
  const last = status?.events?.newest ?? 0;
  const [instruments, told] = await Promise.all([get("/v1/instruments"), get(`/v1/events?after=${Math.max(0, last - EVENTS_KEPT)}&count=${EVENTS_KEPT}`).catch(() => ({ rows: [] }))]);
  const read = [...instruments.rows];
  let next = instruments.next;
  while (next) {
    const page = await get(`/v1/instruments?after=${encodeURIComponent(next)}`);
    read.push(...page.rows);
    next = page.next;
  }
  if (turn !== reading) return;
  all.clear();
  // What the stream told while this was read is newer.
  for (const row of [...read, ...meanwhile]) all.set(row.symbol, row);
  meanwhile = null;
  showState();
  // A daemon that began anew counts its events as before: they are one journal.
  events = [];
  newest = 0;
  showEvents(told);
  arrange();
}

// --- the heat map ------------------------------------------------------------

function arrange() {
  const find = $("find").value.trim().toUpperCase();
  const here = shown[cursor]?.symbol;
  shown = [...all.values()].filter((row) => row.symbol.toUpperCase().includes(find));
  if ($("order").value === "worst") shown.sort(worse);
  cursor = Math.max(0, shown.findIndex((row) => row.symbol === here));
  showWorst();
  fit();
}

function showWorst() {
  const worst = [...all.values()].filter(alarming).sort(worse);
  $("worst-count").textContent = `${number(worst.length)} of ${number(all.size)} instruments${worst.length > WORST_SHOWN ? `, the first ${WORST_SHOWN}` : ""}`;
  rows("worst", worst.slice(0, WORST_SHOWN).map((row) => [cell(row.symbol, { open: row.symbol }), cell(row.tier), cell(score(row.score), { number: true }), cell(row.book)]));
}

// The largest size at which all are seen without scrolling, 3 at least.
function wholeSize(width, height) {
  const fits = (size) => {
    const step = size + (size < 8 ? 1 : GAP);
    return Math.ceil(shown.length / Math.max(1, Math.floor(width / step))) * step <= height;
  };
  let size = 28;
  while (size > 3 && !fits(size)) size -= 1;
  return size;
}

function fit() {
  const width = $("scroll").clientWidth;
  const size = Number($("size").value) || wholeSize(width, $("scroll").clientHeight);
  cells.gap = size < 8 ? 1 : GAP;
  cells.size = size === 64 ? 26 : size;
  cells.width = size;
  cells.columns = Math.max(1, Math.floor(width / (cells.width + cells.gap)));
  const height = Math.ceil(shown.length / cells.columns) * (cells.size + cells.gap);
  $("spacer").style.height = `${height}px`;
  const canvas = $("map");
  const scale = window.devicePixelRatio || 1;
  const tall = $("scroll").clientHeight;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(tall * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(tall * scale);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${tall}px`;
  }
  redraw();
}

function redraw() {
  if (!cells.dirty) return;
  cells.dirty = false;
  requestAnimationFrame(draw);
}

function draw() {
  cells.dirty = true;
  const canvas = $("map");
  const scale = window.devicePixelRatio || 1;
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.fillStyle = "#161b22";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  const step = cells.size + cells.gap;
  const top = $("scroll").scrollTop;
  const first = Math.floor(top / step) * cells.columns;
  const last = Math.min(shown.length, Math.ceil((top + canvas.height / scale) / step) * cells.columns);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  for (let n = first; n < last; n += 1) {
    const x = (n % cells.columns) * (cells.width + cells.gap);
    const y = Math.floor(n / cells.columns) * step - top;
    tile(pen, shown[n], x, y, n === cursor);
  }
}

function tile(pen, row, x, y, marked) {
  const { width, size } = cells;
  pen.fillStyle = COLOURS[row.tier] ?? COLOURS.unknown;
  pen.fillRect(x, y, width, size);
  const dark = row.tier === "normal" || row.tier === "unknown";
  if (width >= 64) {
    pen.fillStyle = dark ? "#e6edf3" : "#000";
    pen.fillText(row.symbol, x + 4, y + size / 2 - 1, width - 20);
  }
  // Where a tile has no room for a mark, the table beside it says the same.
  if (width >= 14) mark(pen, row.tier, x + width - 14, y + 3);
  if (row.score !== null && size >= 14) {
    pen.fillStyle = dark ? "#8fb3d9" : "#000";
    pen.fillRect(x, y + size - 3, Math.round(width * row.score), 3);
  }
  if (row.symbol === chosen || marked) {
    pen.strokeStyle = row.symbol === chosen ? "#fff" : "#58a6ff";
    pen.lineWidth = 2;
    pen.strokeRect(x - 1, y - 1, width + 2, size + 2);
  }
}

// One bar, two bars, a cross; a hollow square where nothing is known.
function mark(pen, tier, x, y) {
  pen.fillStyle = "#000";
  pen.strokeStyle = tier === "unknown" ? "#8b949e" : "#000";
  pen.lineWidth = tier === "unknown" ? 1 : 2;
  if (tier === "elevated") pen.fillRect(x + 4, y + 1, 3, 8);
  if (tier === "high") {
    pen.fillRect(x + 2, y + 1, 3, 8);
    pen.fillRect(x + 7, y + 1, 3, 8);
  }
  if (tier === "critical") {
    pen.beginPath();
    pen.moveTo(x + 1, y + 1);
    pen.lineTo(x + 10, y + 9);
    pen.moveTo(x + 10, y + 1);
    pen.lineTo(x + 1, y + 9);
    pen.stroke();
  }
  if (tier === "unknown") pen.strokeRect(x + 2.5, y + 1.5, 7, 7);
}

function legend() {
  $("legend").replaceChildren(...TIERS.map((tier) => {
    const item = document.createElement("li");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [18, 18];
    canvas.setAttribute("aria-hidden", "true");
    const pen = canvas.getContext("2d");
    pen.fillStyle = COLOURS[tier];
    pen.fillRect(0, 0, 18, 18);
    mark(pen, tier, 4, 3);
    const name = document.createElement("span");
    name.textContent = tier;
    item.append(canvas, name);
    return item;
  }));
  const last = document.createElement("li");
  last.textContent = "the bar below is the score";
  $("legend").append(last);
}

function moveTo(place) {
  if (shown.length === 0) return;
  cursor = Math.min(shown.length - 1, Math.max(0, place));
  const step = cells.size + cells.gap;
  const y = Math.floor(cursor / cells.columns) * step;
  const box = $("scroll");
  if (y < box.scrollTop) box.scrollTop = y;
  if (y + step > box.scrollTop + box.clientHeight) box.scrollTop = y + step - box.clientHeight;
  const row = shown[cursor];
  $("map-said").textContent = `${row.symbol}, ${row.tier}, score ${score(row.score) || "none"}, book ${row.book}`;
  redraw();
}

function nextAlarming(by) {
  for (let n = 1; n <= shown.length; n += 1) {
    const place = (cursor + by * n + shown.length * n) % shown.length;
    if (alarming(shown[place])) return moveTo(place);
  }
}

// --- one instrument -----------------------------------------------------------

async function choose(symbol) {
  if (chosen !== symbol) clearOne();
  chosen = symbol;
  window.history.replaceState(null, "", `#${encodeURIComponent(symbol)}`);
  redraw();
  await showOne();
}

// Nothing of one instrument stands under the name of another.
function clearOne() {
  limitsSeen = new Map();
  figures("one-figures", []);
  $("one-score").replaceChildren();
  rows("one-drivers", []);
  rows("one-limits", []);
}

async function showOne() {
  const symbol = chosen;
  if (symbol === null) return;
  $("one-title").textContent = symbol;
  try {
    const path = `/v1/instruments/${encodeURIComponent(symbol)}`;
    const [state, past] = await Promise.all([get(`${path}/state`), get(`${path}/history`)]);
    if (symbol !== chosen) return;
    figures("one-figures", [["tier", state.tier], ["score", score(state.score) || "none"], ["since", time(state.since)], ["book", state.book]]);
    const scores = past.points.map((point) => point.score);
    const told = scores.filter((value) => value !== null);
    const words = told.length ? `Score of ${symbol}: ${score(told[told.length - 1])} now, at most ${score(Math.max(...told))}` : `No score of ${symbol}`;
    $("one-score").replaceChildren(line(scores, 600, 100, 1, words));
    rows("one-drivers", state.drivers.map((row) => [cell(row.name), cell(row.value === null ? "unknown" : row.value.toPrecision(4), { number: true }), cell(row.unit)]));
    rows("one-limits", state.limits.map((row) => {
      keep(limitsSeen, row.key, Number(row.effective));
      const seen = limitsSeen.get(row.key);
      return [cell(`${row.key}, ${row.unit}`), ...[row.floor, row.effective, row.base, row.cap].map((n) => cell(number(n), { number: true })), cell(line(seen, 90, 20, Math.max(...seen, Number(row.base)), `${row.key} ${row.effective}, ${row.source}`))];
    }));
  } catch (error) {
    if (symbol !== chosen) return;
    clearOne();
    figures("one-figures", [["not known", String(error.message)]]);
  }
}

// --- the stream ------------------------------------------------------------------

function follow() {
  const stream = new EventSource("/v1/stream");
  const on = (name, act) => stream.addEventListener(name, (event) => act(JSON.parse(event.data)));
  let turn = 0;
  on("status", (data) => {
    status = data;
    heard = Date.now();
    showStatus();
    turn += 1;
    if (turn % 2 === 1) showOne();
  });
  on("instruments", (data) => {
    meanwhile?.push(...data.rows);
    for (const row of data.rows) all.set(row.symbol, row);
    // New names, another order: everything is arranged anew; else each stands where it stood.
    if ($("order").value === "worst" || all.size !== shown.length) return arrange();
    shown = shown.map((row) => all.get(row.symbol) ?? row);
    showWorst();
    redraw();
  });
  on("anew", readAnew);
  on("events", showEvents);
  on("lists", (data) => data.names.forEach(showList));
  on("lagged", (data) => console.warn(`this page was too slow for ${data.missed} pictures`));
  on("down", (data) => {
    heard = 0;
    showState();
    say(`${$("banner").textContent} (${data.detail})`);
  });
  stream.addEventListener("error", () => {
    heard = 0;
    showState();
  });
}

// --- keys -------------------------------------------------------------------------

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  const typing = event.target.matches("input, select");
  if (typing && event.key === "Escape") return $("map").focus();
  if (typing) return;
  const page = Math.max(1, Math.floor($("scroll").clientHeight / (cells.size + cells.gap)) - 1) * cells.columns;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -cells.columns, ArrowDown: cells.columns, PageUp: -page, PageDown: page };
  const onMap = event.target === $("map");
  if (onMap && event.key in steps) moveTo(cursor + steps[event.key]);
  else if (onMap && event.key === "Home") moveTo(0);
  else if (onMap && event.key === "End") moveTo(shown.length - 1);
  else if (onMap && event.key === "Enter" && shown[cursor]) choose(shown[cursor].symbol);
  else if (event.key === "n") nextAlarming(1);
  else if (event.key === "p") nextAlarming(-1);
  else if (event.key === "m") $("map").focus();
  else if (event.key === "/") $("find").focus();
  else if (event.key === "w") document.documentElement.classList.toggle("wall");
  else if (event.key === "?") $("help").showModal();
  else return;
  event.preventDefault();
}

function pointed(event) {
  const box = $("map").getBoundingClientRect();
  const column = Math.floor((event.clientX - box.left) / (cells.width + cells.gap));
  const row = Math.floor((event.clientY - box.top + $("scroll").scrollTop) / (cells.size + cells.gap));
  const place = row * cells.columns + column;
  if (column >= cells.columns || !shown[place]) return;
  moveTo(place);
  choose(shown[place].symbol);
}

legend();
$("find").addEventListener("input", arrange);
$("order").addEventListener("change", arrange);
$("size").addEventListener("change", fit);
$("scroll").addEventListener("scroll", redraw, { passive: true });
$("map").addEventListener("click", pointed);
$("map").addEventListener("focus", redraw);
$("help-open").addEventListener("click", () => $("help").showModal());
document.addEventListener("keydown", keys);
new ResizeObserver(fit).observe($("scroll"));
setInterval(showState, 1000);
setInterval(() => showList("positions"), POSITIONS_EVERY_MS);
showList("positions");
follow();
try {
  if (location.hash.length > 1) choose(decodeURIComponent(location.hash.slice(1)));
} catch (error) {
  console.warn(String(error)); // a link that no page of ours made
}
