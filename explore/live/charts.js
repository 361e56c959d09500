// Charts from the package's numbers, with Observable Plot; colours are variables, so that light and dark need no redrawing.
const A = "var(--explorer-a)";
const B = "var(--explorer-b)";
const UP = "var(--explorer-up)";
const SOFT = "var(--explorer-soft)";

const spoken = (x) => x.toLocaleString("en-US");
const power = (x) => (/^1e/.test(x.toExponential()) ? spoken(x) : "");
const log = (label, domain) => ({ type: "log", label, domain, grid: true, tickFormat: power, labelArrow: "none" });

// An axis that spans little has ticks at 1, 2 and 5 of each decade, or all the whole tenths of one if these are too few.
function narrow(label, values) {
  const [low, high] = [Math.min(...values) / 1.12, Math.max(...values) * 1.12];
  const within = (firsts) => {
    const ticks = [];
    for (let n = Math.floor(Math.log10(low)); n <= Math.log10(high); n++) ticks.push(...firsts.map((f) => f * 10 ** n));
    return ticks.filter((t) => t >= low && t <= high);
  };
  const sparse = within([1, 2, 5]);
  const ticks = sparse.length > 2 ? sparse : within([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  return { ...log(label, [low, high]), ticks };
}

const frame = (width, label, height = Math.max(280, Math.min(430, width * 0.62))) => ({
  width,
  height,
  marginLeft: 54,
  marginBottom: 42,
  ariaLabel: label,
  style: { background: "transparent", color: "inherit", fontSize: "13px", fontFamily: "inherit", overflow: "visible" },
});

function finish(svg, label) {
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  return svg;
}

// A step under its roof. `from` is where the point stood before: it leaves a trace; `share` says how far it has moved.
export function roofline(data, width, from = null, share = 1) {
  const { Plot } = window;
  const { roof, reach, path, point, ridge } = data.chart;
  const between = (a, b) => Math.exp(Math.log(a) + (Math.log(b) - Math.log(a)) * share);
  const at = from ? { ...point, x: between(from.x, point.x), y: between(from.y, point.y) } : point;
  const xs = [roof[0].x, roof.at(-1).x];
  const ys = [Math.min(...path.map((p) => p.y), point.y, reach[0].y) / 1.5, ridge.y * 2];
  const label = `Roofline of ${data.title}: ${point.text}; ridge point ${ridge.text}.`;
  const edge = Math.log(at.x / xs[0]) > 0.8 * Math.log(xs[1] / xs[0]);
  return finish(Plot.plot({
    ...frame(width, label),
    x: log("Arithmetic intensity [FLOP/B]", xs),
    y: log("Rate [TFLOP/s]", ys),
    marks: [
      Plot.line(roof, { x: "x", y: "y", stroke: A, strokeWidth: 2.2, clip: true }),
      Plot.line(reach, { x: "x", y: "y", stroke: A, strokeDasharray: "6 4", clip: true }),
      Plot.text([ridge], { x: "x", y: "y", text: (d) => `ridge ${d.text}`, dy: -10, textAnchor: "middle", fill: "currentColor" }),
      Plot.line(path, { x: "x", y: "y", stroke: SOFT }),
      Plot.dot(path, { x: "x", y: "y", r: 3, fill: (d) => (d.fits ? SOFT : "var(--explorer-ground)"), stroke: SOFT, title: "text", tip: true }),
      from ? Plot.link([0], { x1: from.x, y1: from.y, x2: at.x, y2: at.y, stroke: B, strokeOpacity: 0.6, strokeDasharray: "2 3" }) : null,
      from ? Plot.dot([from], { x: "x", y: "y", r: 5, stroke: B, strokeOpacity: 0.7 }) : null,
      Plot.dot([at], { x: "x", y: "y", r: 7, fill: point.fits ? B : "var(--explorer-ground)", stroke: B, strokeWidth: 2.5 }),
      Plot.text([at], {
        x: "x", y: "y", text: () => `batch ${point.batch}`, dx: edge ? 0 : 12, dy: edge ? 22 : 16, textAnchor: edge ? "end" : "start",
        fill: "currentColor", stroke: "var(--explorer-ground)", strokeWidth: 4, fontWeight: 600,
      }),
    ],
  }), label);
}

// The parts of a step's time, side by side.
export function parts(data, width) {
  const { Plot } = window;
  const rows = data.parts;
  const longest = Math.max(...rows.map((r) => r.value));
  const label = `Parts of the time: ${rows.map((r) => `${r.label} ${r.text}`).join(", ")}.`;
  return finish(Plot.plot({
    ...frame(width, label, 40 + 30 * rows.length),
    marginLeft: 112,
    marginRight: 96,
    marginBottom: 34,
    x: { label: `Time [${rows[0].unit}]`, domain: [0, longest || 1], ticks: 4, labelArrow: "none" },
    y: { label: null, domain: rows.map((r) => r.label) },
    marks: [
      Plot.barX(rows, { x: "value", y: "label", fill: (r) => (r.label === "Latency" ? B : A), insetTop: 3, insetBottom: 3 }),
      Plot.text(rows, { x: "value", y: "label", text: "text", dx: 6, textAnchor: "start", fill: "currentColor" }),
      Plot.ruleX([0]),
    ],
  }), label);
}

// Factors as steps from one to their product.
export function waterfall(data, width) {
  const { Plot } = window;
  const bars = data.bars;
  const last = bars.at(-1).to;
  const all = [...bars, { label: "speed-up", from: 1, to: last, text: data.headline[0].split(": ")[1], total: true }];
  const ends = all.flatMap((b) => [b.from, b.to]);
  const label = `Waterfall of factors: ${all.map((b) => `${b.label} ${b.text}`).join(", ")}.`;
  const factor = {
    type: "log", label: "Speed-up [x]", grid: true, labelArrow: "none", tickFormat: (v) => `${v}x`, ticks: 5,
    domain: [Math.min(...ends, 0.98) / 1.06, Math.max(...ends, 1.02) * 1.12],
  };
  const fill = (b) => (b.total ? A : b.to >= b.from ? UP : B);
  const top = (b) => Math.max(b.from, b.to);
  const names = { domain: all.map((b) => b.label), label: null };
  if (width < 560) {
    return finish(Plot.plot({
      ...frame(width, label),
      marginLeft: 80,
      marginRight: 44,
      x: factor,
      y: names,
      marks: [
        Plot.rect(all, { y: "label", x1: "from", x2: "to", insetTop: 4, insetBottom: 4, fill }),
        Plot.ruleX([1], { stroke: "currentColor" }),
        Plot.text(all, { y: "label", x: top, text: "text", dx: 5, textAnchor: "start", fill: "currentColor" }),
      ],
    }), label);
  }
  return finish(Plot.plot({
    ...frame(width, label),
    x: names,
    y: factor,
    marks: [
      Plot.rect(all, { x: "label", y1: "from", y2: "to", insetLeft: 6, insetRight: 6, fill }),
      Plot.ruleY([1], { stroke: "currentColor" }),
      Plot.text(all, { x: "label", y: top, text: "text", dy: -8, fill: "currentColor" }),
    ],
  }), label);
}

// What more users do to a wait, the first or each further one, and to what the machine gives in all.
export function serving(data, wait, name, width) {
  const { Plot } = window;
  const { sweep, targets } = data;
  const chosen = sweep.filter((p) => p.chosen);
  const fitting = sweep.filter((p) => p.fits);
  const spaced = fitting.filter((p, i) => !p.chosen && (i % 2 === 0 || width > 520));
  const label = `${name} against throughput for ${sweep.length} numbers of users; ${chosen[0].text}.`;
  const good = (p) => p.fits && p[wait] <= targets[wait];
  const users = (p) => p.users.toLocaleString("en-US");
  const at = { x: "throughput", y: wait };
  const named = (points, place) => Plot.text(points, { ...at, text: users, dy: -9, fill: "currentColor", fontSize: 11, ...place });
  const x = narrow("Throughput [token/s]", sweep.map((p) => p.throughput));
  const y = narrow(`${name} [ms]`, [...sweep.map((p) => p[wait]), targets[wait]]);
  return finish(Plot.plot({
    ...frame(width, label),
    marginRight: 36,
    x,
    y,
    marks: [
      Plot.axisX(x.ticks, { text: spoken, label: x.label, labelArrow: "none" }),
      Plot.axisY(y.ticks, { text: spoken, label: y.label, labelArrow: "none" }),
      Plot.ruleY([targets[wait]], { stroke: B, strokeDasharray: "6 4" }),
      Plot.text([targets[wait]], { y: (v) => v, frameAnchor: "left", text: () => "target", dx: 4, dy: -8, textAnchor: "start", fill: "currentColor" }),
      Plot.line(fitting, { ...at, stroke: SOFT }),
      Plot.dot(sweep, {
        ...at, r: 4, symbol: (p) => (p[wait] <= targets[wait] ? "circle" : "times"), stroke: (p) => (good(p) ? UP : SOFT),
        fill: (p) => (good(p) ? UP : "none"), strokeOpacity: (p) => (p.fits ? 1 : 0.5), title: "text", tip: true,
      }),
      named(spaced.slice(0, 1), { dx: -3, textAnchor: "start" }), // beside the axis there is no room to its left
      named(spaced.slice(1), { dx: -7, textAnchor: "end" }),
      Plot.dot(chosen, { ...at, r: 8, stroke: B, strokeWidth: 2.5 }),
      Plot.text(chosen, {
        ...at, text: (p) => `${users(p)} users`, dx: 10, dy: 16, textAnchor: "middle", fill: "currentColor", fontWeight: 600,
        stroke: "var(--explorer-ground)", strokeWidth: 4,
      }),
    ],
  }), label);
}
