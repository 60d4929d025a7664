#!/usr/bin/env python3
"""Draws the pictures of README.md into data/pictures: charts of pages of `cria report`, each as an SVG
with its title, legend and colours for light and dark.

Runs `cria demo`, which trains what is not trained yet, and a shorter run of the same config with learned
positions; both have a seed. Nothing here is needed to build, test or run cria.
Needs cria built; to be run where configs/ is.
"""

import html
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CRIA, OUT = ROOT / "build" / "cria", ROOT / "data" / "pictures"
GAP = 16
STYLE = """
text{font:12px system-ui,sans-serif;fill:var(--text)}
.title{font-size:15px;font-weight:600}
.card{fill:var(--card);stroke:var(--grid)}
.grid{stroke:var(--grid);fill:none}
.curve{stroke:var(--c);stroke-width:1.75;fill:none;stroke-linejoin:round}
.dashed .curve{stroke-dasharray:3 2;stroke-width:1.1}
.band{fill:var(--c);opacity:.2}
.dots{stroke:var(--c);stroke-width:6;stroke-linecap:round;fill:none}
"""


def cria(*arguments):
    subprocess.run([CRIA, *arguments], check=True)


def figures(page):
    """Of a page: (title, [(class, name) of the legend], svg)."""
    for text in re.findall(r"<figure.*?</figure>", page, re.S):
        title = html.unescape(re.search(r"<figcaption>(.*?)</figcaption>", text, re.S)[1])
        legend = re.findall(r'<li class="(.*?)"><i></i><span>(.*?)</span>', text)
        svg = re.search(r"<svg .*</svg>", text, re.S)[0]
        # What script alone reads: other axes, places of numbers.
        svg = re.sub(r'<g class="axis \w+" display="none">.*?</g>', "", svg, flags=re.S)
        svg = re.sub(r' (data-[a-z]+|role|aria-label|font-[a-z]+)="[^"]*"', "", svg)
        yield title, legend, svg


def drawn(title, charts, style):
    """Charts of one size beside each other below a title; each with its own when there are several."""
    width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', charts[0][2]).groups())
    parts, top = [f'<text class="title" x="{GAP}" y="28">{html.escape(title, quote=False)}</text>'], 40
    x = GAP
    for css, name in charts[0][1]:
        room = 50 + 6.5 * len(html.unescape(name))
        if x + room > width + GAP:
            x, top = GAP, top + 18
        parts.append(f'<g class="{css}"><path class="curve" d="M{x} {top + 8}h20"/>'
                     f'<text x="{x + 26}" y="{top + 12}">{name}</text></g>')
        x += room
    top += 24 if charts[0][1] else 0
    for i, (own, _, svg) in enumerate(charts):
        left = GAP + i * (width + GAP)
        if len(charts) > 1:
            parts.append(f'<text x="{left + 4}" y="{top + 12}">{html.escape(own, quote=False)}</text>')
        y = top + (GAP if len(charts) > 1 else 0)
        parts.append(svg.replace("<svg ", f'<svg x="{left}" y="{y}" width="{width}" height="{height}" ', 1))
    full, bottom = GAP + len(charts) * (width + GAP), y + height + 8
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{full:g}" height="{bottom:g}" '
            f'viewBox="0 0 {full:g} {bottom:g}">'
            f"<title>{html.escape(title, quote=False)}</title><style>{style}{STYLE}</style>"
            f'<rect class="card" x=".5" y=".5" width="{full - 1:g}" height="{bottom - 1:g}" rx="8"/>'
            + "".join(parts) + "</svg>\n")


def main():
    cria("demo")
    page = pathlib.Path("runs/demo/report.html").read_text()
    light, dark = re.findall(r":root(\{--.*?\})", page, re.S)[:2]
    style = f":root{light}@media(prefers-color-scheme:dark){{:root{dark}}}"
    style += "".join(f".c{i}{{--c:var(--c{i})}}" for i in range(7))
    run = "runs/pictures"
    cria("train", "configs/demo.toml", 'model.position="learned"', "train.steps=1500",
         f'train.output_dir="{run}"', "--resume")
    cria("report", "--positions", run, "--text", "banana", "-o", "runs/pictures/positions.html")
    sums = list(figures(pathlib.Path("runs/pictures/positions.html").read_text()))[-3:]
    OUT.mkdir(exist_ok=True)
    title, legend, svg = next(figures(page))
    (OUT / "loss.svg").write_text(drawn(title, [(title, legend, svg)], style))
    (OUT / "positions.svg").write_text(drawn("token + position = input, for 'banana'", sums, style))


if __name__ == "__main__":
    main()
