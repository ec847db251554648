#!/usr/bin/env bash
# Opens the risk desk's page in a real browser over ten thousand instruments that move: fails where axe-core finds what keeps somebody from
# using it, where a key does nothing, where the page logs an error, or is wider than a phone. Then has Schemathesis test what the
# OpenAPI document says. Pictures and results go to OUT.
#   scripts/check-desk.sh OUT [URL]
# With URL, that running portcullis-rest is looked at; else the workspace's own and its example, which are built.
# Wants Chromium, node with npm, python3 with venv; what else it needs it fetches into a folder that it takes away again.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:?a folder for pictures and results}
mkdir -p "$out"
out=$(cd "$out" && pwd)
url=${2:-}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
  { echo "check-desk: no Chromium found; apt-get install chromium" >&2; exit 1; }
work=$(mktemp -d)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop EXIT

if [ -z "$url" ]; then
  cargo build --locked --workspace --bins --examples
  target=${CARGO_TARGET_DIR:-target}/debug
  mkdir "$work/appliance"
  "$target/examples/market" "$work/appliance" 10000 >"$work/market.log" 2>&1 & pids+=($!)
  "$target/portcullis-rest" --socket "$work/appliance/control.sock" --listen 127.0.0.1:0 >"$work/rest.log" & pids+=($!)
  for _ in $(seq 100); do [ -s "$work/rest.log" ] && break; sleep 0.1; done
  url=$(sed -n 's/ shows .*//p' "$work/rest.log")
fi
url=${url%/}
curl --silent --fail --retry 30 --retry-delay 1 --retry-all-errors --output /dev/null "$url/v1/health"

npm install --prefix "$work" --no-audit --no-fund --ignore-scripts --silent puppeteer-core@24 axe-core@4
cat >"$work/look.mjs" <<'JS'
import puppeteer from "puppeteer-core";
import { readFileSync, writeFileSync } from "node:fs";
const [url, out, browserPath, axePath] = process.argv.slice(2);
const browser = await puppeteer.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-gpu"], headless: true, protocolTimeout: 300000 });
const page = await browser.newPage();
const faults = [];
page.on("console", (m) => m.type() === "error" && faults.push(`console: ${m.text()}`));
page.on("pageerror", (e) => faults.push(`page: ${e.message}`));
const rest = (ms) => new Promise((done) => setTimeout(done, ms));
await page.setViewport({ width: 1440, height: 900 });
await page.goto(url, { waitUntil: "domcontentloaded" });
await page.waitForFunction(() => document.querySelectorAll("#worst button").length > 3, { timeout: 60000 });
const paint_ms = await page.evaluate(() => Math.round(performance.getEntriesByName("first-contentful-paint")[0].startTime));
await page.focus("#map");
for (const key of ["Home", "ArrowDown", "n", "Enter"]) await page.keyboard.press(key);
await page.waitForFunction(() => location.hash.length > 1 && document.querySelectorAll("#one-limits tr").length > 3, { timeout: 30000 });
const said = await page.evaluate(() => document.getElementById("map-said").textContent);
if (!/elevated|high|critical/.test(said)) faults.push(`N went to what is normal: ${said}`);
await page.screenshot({ path: `${out}/laptop.png` });
// What a frame costs while it scrolls, without what the host does besides.
const draw_ms = await page.evaluate(() => {
  const box = document.getElementById("scroll"), took = [];
  for (let n = 0; n < 500; n += 1) { box.scrollTop = n * 40; const begun = performance.now(); draw(); took.push(performance.now() - begun); }
  took.sort((a, b) => a - b);
  return { p50: took[250], p99: took[495], max: took[499] };
});
await page.evaluate(readFileSync(axePath, "utf8"));
const axe = await page.evaluate(() => window.axe.run(document));
for (const found of axe.violations) faults.push(`axe: ${found.id}: ${found.nodes[0].html}`);
for (const [name, width, height] of [["wall", 3840, 2160], ["phone", 420, 900]]) {
  await page.setViewport({ width, height });
  await rest(2500);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (wide > width) faults.push(`${name}: ${wide} pixels wide`);
  await page.screenshot({ path: `${out}/${name}.png` });
}
const result = { paint_ms, draw_ms, said, axe_passes: axe.passes.length, axe_undecided: axe.incomplete.map((one) => [one.id, one.nodes.length]), faults };
writeFileSync(`${out}/page.json`, JSON.stringify(result, null, 1));
console.log(JSON.stringify(result));
await browser.close();
process.exit(faults.length ? 1 : 0);
JS
HOME=$work node "$work/look.mjs" "$url/" "$out" "$browser" "$work/node_modules/axe-core/axe.min.js"

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'schemathesis>=4,<5'
# The stream never ends, so that nobody can wait for its answer.
"$work/venv/bin/schemathesis" run "$url/v1/openapi.json" --url "$url" --exclude-path /v1/stream --checks all \
  --phases examples,coverage,fuzzing --max-examples "${MAX_EXAMPLES:-50}" --continue-on-failure | tee "$out/schemathesis.txt"
