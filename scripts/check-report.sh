#!/usr/bin/env bash
# Renders a report of `portcullis demo` in a real browser on a screen 400 pixels wide, as a phone has, and fails where a reader
# would have to scroll sideways: where the page is wider than the screen, or a part of it lies beyond its edge and in no box that
# scrolls by itself.
#   scripts/check-report.sh out/demo/report.html [WIDTH]
# Wants Chromium (Debian: `apt-get install chromium`).
set -euo pipefail

report=${1:?a report, such as out/demo/report.html}
width=${2:-400}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
  { echo "check-report: no Chromium found; apt-get install chromium" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A browser's window has a least width, a frame has none; a frame of the same document may be measured.
cp "$report" "$work/report.html"
cat >"$work/frame.html" <<HTML
<!doctype html><meta charset="utf-8"><title>measuring</title><style>body { margin: 0 } iframe { border: 0 }</style>
<iframe id="f" src="report.html" width="$width" height="900"></iframe><pre id="said"></pre>
<script>
  const scrolls = (e) => e && e.nodeType === 1 &&
    (["auto", "scroll"].includes(e.ownerDocument.defaultView.getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  document.getElementById("f").addEventListener("load", (loaded) => {
    const page = loaded.target.contentDocument, root = page.documentElement;
    const beyond = [...page.body.querySelectorAll("*")].filter((e) => {
      const box = e.getBoundingClientRect();
      return box.width > 0 && box.right > $width + 1 && !e.closest("svg svg") && !scrolls(e);
    });
    const name = (e) => e.tagName.toLowerCase() + (e.className.baseVal ?? e.className ? "." + (e.className.baseVal ?? e.className) : "");
    document.getElementById("said").textContent = "MEASURED " + JSON.stringify({
      width: loaded.target.contentWindow.innerWidth, page: root.scrollWidth, text: page.body.innerText.length,
      beyond: [...new Set(beyond.map(name))].slice(0, 8) });
  });
</script>
HTML
HOME=$work "$browser" --headless --no-sandbox --disable-gpu --allow-file-access-from-files --virtual-time-budget=10000 \
  --user-data-dir="$work/profile" --dump-dom "file://$work/frame.html" >"$work/dom" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
said=$(sed -n 's/.*MEASURED \({.*}\).*/\1/p' "$work/dom")
echo "${said:?the browser measured nothing}"
python3 - "$said" "$width" <<'PYTHON'
import html, json, sys
said, width = json.loads(html.unescape(sys.argv[1])), int(sys.argv[2])
wrong = []
if said["width"] != width: wrong.append(f"rendered {said['width']} pixels wide, wanted {width}")
if said["page"] > width: wrong.append(f"the page is {said['page']} pixels wide on a screen of {width}")
if said["beyond"]: wrong.append("beyond the edge: " + ", ".join(said["beyond"]))
if said["text"] < 1000: wrong.append(f"{said['text']} characters of text: an empty page passes every other check")
sys.exit("check-report: " + "; ".join(wrong) if wrong else 0)
PYTHON
