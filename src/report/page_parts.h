// What is the same on every page: its style and its script.
#pragma once

namespace cria {

// Behind the variables of the two themes.
inline constexpr const char* kStyle = R"css(
*{box-sizing:border-box}
body{margin:0;background:var(--background);color:var(--text);font:16px/1.5 system-ui,sans-serif}
header,main{max-width:1280px;margin:0 auto;padding:12px 16px}
header{position:relative}
h1{font-size:1.5rem;line-height:1.25;margin:8px 88px 8px 0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:32px 0 8px}
p{max-width:75ch;margin:8px 0;overflow-wrap:anywhere}
.verdict{font-size:1.1rem}
.note{color:var(--quiet);font-size:.875rem;margin:4px 0}
.figures{display:grid;gap:16px;margin:16px 0;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr))}
.small.figures{grid-template-columns:repeat(auto-fill,minmax(min(100%,290px),1fr))}
figure,.card{margin:0;padding:12px;background:var(--card);border:1px solid var(--grid);
border-radius:8px;min-width:0;position:relative}
.card{margin:12px 0}
figcaption{font-weight:600;overflow-wrap:anywhere}
.chart{display:block;width:100%;height:auto;margin-top:8px;overflow:hidden;touch-action:pan-y}
.chart text{fill:var(--text)}
.points text{paint-order:stroke;stroke:var(--card);stroke-width:3px;stroke-linejoin:round}
.axis .grid{stroke:var(--grid);fill:none}
.curve,.whisker{stroke:var(--c);stroke-width:1.75;fill:none;stroke-linejoin:round}
.whisker{stroke-width:3}
.dashed .curve{stroke-dasharray:3 2;stroke-width:1.1}
.band{fill:var(--c);opacity:.2}
.dots{stroke:var(--c);stroke-width:6;stroke-linecap:round;fill:none}
.intervals .dots{stroke-width:9}
.fill{fill:var(--c)}
.zero,.rule{stroke:var(--quiet);fill:none}
.off{display:none}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 16px;margin:6px 0 0;padding:0;
font-size:.875rem}
.legend>li,.legend button{display:inline-flex;align-items:center;gap:6px;max-width:100%;
overflow-wrap:anywhere;text-align:start}
.legend i{flex:none;width:20px;border-top:3px solid var(--c)}
.legend .dashed i{border-top-style:dashed}
button,select{font:inherit;color:inherit;background:none;border:1px solid var(--grid);
border-radius:6px;padding:2px 8px;cursor:pointer;min-height:28px}
select option{color:#000;background:#fff}
.legend button{border-color:transparent;padding:2px 4px}
.legend button[aria-pressed=false]{color:var(--quiet);text-decoration:line-through}
.theme{position:absolute;right:16px;top:20px}
.switches{display:flex;flex-wrap:wrap;gap:6px 16px;margin-top:6px;font-size:.875rem}
.switches label{display:inline-flex;align-items:center;gap:6px}
details{margin-top:8px;font-size:.875rem}
summary{cursor:pointer;color:var(--quiet)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
caption{text-align:start;font-weight:600;padding-bottom:4px}
th,td{padding:3px 10px;text-align:end;border-bottom:1px solid var(--grid);white-space:nowrap}
tr>:first-child{text-align:start;padding-left:0}
th{font-weight:600}
.long{white-space:normal;overflow-wrap:anywhere;min-width:16ch;text-align:start}
pre{margin:4px 0 0;white-space:pre-wrap;overflow-wrap:anywhere;
font:.875rem/1.45 ui-monospace,monospace;unicode-bidi:plaintext}
.tokens{max-width:none;line-height:2.4}
ruby{ruby-position:under;border:1px solid var(--grid);border-radius:4px;padding:1px 4px;white-space:nowrap}
rt{font-size:.7em;color:inherit;font-variant-numeric:tabular-nums}
[class^=s]{-webkit-print-color-adjust:exact;print-color-adjust:exact}
.tip{position:absolute;pointer-events:none;background:var(--text);color:var(--card);z-index:1;
border-radius:6px;padding:4px 8px;font-size:.8rem;line-height:1.35;max-width:70%;
overflow-wrap:anywhere;white-space:pre-line}
:focus-visible{outline:2px solid var(--c0);outline-offset:2px}
@media(min-width:900px){.chart text{font-size:10px}.small .chart text{font-size:11.5px}}
@media(max-width:600px){.names th[scope=row]{white-space:normal;overflow-wrap:anywhere;min-width:14ch}}
@media print{body{background:#fff}button,.switches,details{display:none}
figure,.card{break-inside:avoid}h2{break-after:avoid}
.figures{grid-template-columns:1fr 1fr}.small.figures{grid-template-columns:1fr 1fr 1fr}}
)css";

inline constexpr const char* kScript = R"js(
(function () {
  'use strict';
  var root = document.documentElement;
  function all(from, what) { return Array.from(from.querySelectorAll(what)); }
  function make(tag, parent, text) {
    var made = document.createElement(tag);
    if (text) made.textContent = text;
    return parent.appendChild(made);
  }
  function shown(value) {
    var size = Math.abs(value);
    if (size > 0 && size < 1e-3) return value.toExponential(2);
    return size < 1e4 ? String(Number(value.toPrecision(4))) :
      value.toLocaleString('en', {notation: 'compact', maximumSignificantDigits: 4});
  }
  var theme = make('button', document.querySelector('header'), 'Theme');
  theme.className = 'theme';
  theme.type = 'button';
  theme.onclick = function () {
    var now = root.dataset.theme ||
      (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
    root.dataset.theme = now === 'dark' ? 'light' : 'dark';
  };

  // A box with numbers beside the pointer; find: what it says at a place of the picture.
  function tip(figure, svg, find, leave) {
    var box = make('div', figure);
    box.className = 'tip';
    box.hidden = true;
    function hide() { box.hidden = true; leave(); }
    function show(event) {
      var frame = svg.getBoundingClientRect(), outer = figure.getBoundingClientRect();
      var scale = svg.viewBox.baseVal.width / frame.width;
      var text = find((event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale);
      if (!text) return hide();
      box.textContent = text;
      box.hidden = false;
      var right = event.clientX - frame.left > frame.width / 2;
      box.style.left = right ? 'auto' : event.clientX - outer.left + 14 + 'px';
      box.style.right = right ? outer.right - event.clientX + 14 + 'px' : 'auto';
      box.style.top = event.clientY - outer.top + 14 + 'px';
    }
    svg.addEventListener('pointermove', show);
    svg.addEventListener('pointerdown', show);
    svg.addEventListener('pointerleave', hide);
  }

  function lines(figure, svg) {
    var plot = svg.querySelector('.plot');
    var left = +plot.getAttribute('x'), top = +plot.getAttribute('y');
    var width = +plot.getAttribute('width'), height = +plot.getAttribute('height');
    function ends(name) {
      return plot.dataset[name].split(';').map(function (text) {
        var parts = text.split(',');
        return {low: +parts[0], high: +parts[1], log: parts[2] === 'log'};
      });
    }
    function value(axis, share) {
      return axis.log ? axis.low * Math.pow(axis.high / axis.low, share) :
        axis.low + (axis.high - axis.low) * share;
    }
    function points(path) {
      return path ? path.getAttribute('d').replace(/[MZ]/g, '').split(' ').map(function (point) {
        return point.split(',').map(Number);
      }) : [];
    }
    var xs = ends('x'), ys = ends('y'), x = 0, y = 0;
    var series = all(plot, 'g.line').map(function (g) {
      return {
        g: g, name: g.dataset.name,
        places: g.dataset.x ? g.dataset.x.split(';').map(function (text) {
          return text.split(',').map(Number);
        }) : [],
        factors: g.dataset.y ? g.dataset.y.split(',').map(Number) : [],
        band: points(g.querySelector('.band')), curve: points(g.querySelector('.curve'))
      };
    });
    function across(line, i) { return x ? line.places[x - 1][i] : line.curve[i][0]; }
    function number(line, i) {
      return value(ys[0], 1 - line.curve[i][1] / height) * (y ? line.factors[y - 1] : 1);
    }
    function moved(line, point, i) {
      var up = point[1];
      if (y) {
        var now = value(ys[0], 1 - up / height) * line.factors[y - 1];
        up = (1 - (now - ys[y].low) / (ys[y].high - ys[y].low)) * height;
      }
      return across(line, i).toFixed(2) + ',' + up.toFixed(2);
    }
    function redraw() {
      series.forEach(function (line) {
        var curve = line.curve.map(function (point, i) { return moved(line, point, i); });
        var last = line.band.length - 1;
        var band = line.band.map(function (point, i) {
          return moved(line, point, 2 * i > last ? last - i : i);
        });
        [['.curve', 'M' + curve.join(' ')], ['.band', 'M' + band.join(' ') + 'Z'],
          ['.dots', curve.map(function (point) { return 'M' + point + 'h0'; }).join('')]
        ].forEach(function (change) {
          var path = line.g.querySelector(change[0]);
          if (path) path.setAttribute('d', change[1]);
        });
      });
      all(svg, '.axis').forEach(function (axis) {
        var on = axis.classList.contains('x' + x) || axis.classList.contains('y' + y);
        if (on) axis.removeAttribute('display'); else axis.setAttribute('display', 'none');
      });
    }
    var rule = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    rule.setAttribute('class', 'rule');
    plot.appendChild(rule);
    tip(figure, svg, function (px, py) {
      px -= left;
      py -= top;
      if (px < 0 || px > width || py < 0 || py > height) return '';
      var text = '', at = px;
      series.forEach(function (line) {
        if (!line.curve.length || line.g.classList.contains('off')) return;
        var near = 0;
        line.curve.forEach(function (point, i) {
          if (Math.abs(across(line, i) - px) < Math.abs(across(line, near) - px)) near = i;
        });
        if (Math.abs(across(line, near) - px) > width / 8) return;
        text += '\n' + line.name + ': ' + shown(number(line, near));
      });
      rule.setAttribute('d', 'M' + at + ',0v' + height);
      var label = svg.querySelector('.axis.x' + x + '>text:last-of-type').textContent;
      return text && label + ' ' + shown(value(xs[x], px / width)) + text;
    }, function () { rule.removeAttribute('d'); });

    all(figure, '.legend li').forEach(function (item, i) {
      var button = document.createElement('button');
      button.type = 'button';
      button.setAttribute('aria-pressed', 'true');
      while (item.firstChild) button.appendChild(item.firstChild);
      item.appendChild(button);
      button.onclick = function () {
        var off = series[i].g.classList.toggle('off');
        button.setAttribute('aria-pressed', String(!off));
      };
    });
    var switches;
    [['x', function (k) { x = k; }], ['y', function (k) { y = k; }]].forEach(function (axis) {
      if (!figure.dataset[axis[0]]) return;
      if (!switches) {
        switches = document.createElement('div');
        switches.className = 'switches';
        figure.insertBefore(switches, svg);
      }
      var label = make('label', switches, axis[0]), select = make('select', label);
      figure.dataset[axis[0]].split('|').forEach(function (name) { make('option', select, name); });
      select.onchange = function () { axis[1](select.selectedIndex); redraw(); };
    });
  }

  function cells(figure, svg) {
    var box = svg.querySelector('[data-box]').dataset.box.split(',').map(Number);
    var rows = figure.querySelector('table').rows;
    tip(figure, svg, function (px, py) {
      var row = 1 + Math.floor((py - box[1]) / box[3] * (rows.length - 1));
      var column = 1 + Math.floor((px - box[0]) / box[2] * (rows[0].cells.length - 1));
      if (row < 1 || column < 1 || !rows[row] || !rows[row].cells[column]) return '';
      return rows[row].cells[0].textContent + '\n' + rows[0].cells[0].textContent + ' ' +
        rows[0].cells[column].textContent + ': ' + (rows[row].cells[column].textContent || '-');
    }, function () {});
  }

  function marks(figure, svg) {
    var rows = figure.querySelector('table').rows;
    tip(figure, svg, function (px, py) {
      var best = 15, text = '';
      all(svg, '.mark').forEach(function (mark) {
        var at = mark.getAttribute('d').slice(1, -2).split(',');
        var far = Math.hypot(at[0] - px, at[1] - py);
        if (far >= best) return;
        best = far;
        var cells = rows[+mark.dataset.row].cells;
        text = cells[0].textContent + '\n' + rows[0].cells[1].textContent + ' ' +
          cells[1].textContent + '\n' + rows[0].cells[2].textContent + ' ' + cells[2].textContent;
      });
      return text;
    }, function () {});
  }

  all(document, 'figure').forEach(function (figure) {
    var svg = figure.querySelector('svg.chart');
    [['lines', lines], ['cells', cells], ['points', marks]].forEach(function (kind) {
      if (svg.classList.contains(kind[0])) kind[1](figure, svg);
    });
  });
})();
)js";

}  // namespace cria
