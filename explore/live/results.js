// What the package answered, as elements: its words and texts as they are, its numbers as charts.
import * as charts from "./charts.js";

const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

function table(caption, rows) {
  const body = make("tbody");
  for (const [label, text] of rows) {
    body.append(make("tr", {}, make("th", { scope: "row", textContent: label }), make("td", { textContent: text })));
  }
  return make("div", { className: "table-wrap" }, make("table", { className: "table mls-info" }, make("caption", { textContent: caption }), body));
}

function chart(draw, caption) {
  const place = make("div", { className: "explorer-chart" });
  const words = caption ? [make("figcaption", { textContent: caption })] : [];
  const figure = make("figure", { className: "explorer-figure" }, place, ...words);
  return { figure, draw: (...more) => place.replaceChildren(draw(Math.max(280, place.clientWidth), ...more)) };
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// The point goes to its new place in a third of a second, unless the reader wants no motion.
function move(drawing, from, to) {
  const far = from && (from.x !== to.x || from.y !== to.y);
  if (!far || still()) {
    drawing.draw(far ? from : null, 1);
    return () => {};
  }
  const began = performance.now();
  let frame = 0;
  const step = (now) => {
    const share = Math.min(1, Math.max(0, (now - began) / 320));
    drawing.draw(from, 1 - (1 - share) ** 3);
    if (share < 1) frame = requestAnimationFrame(step);
  };
  step(began);
  return () => cancelAnimationFrame(frame);
}

const LEGEND = {
  roofline:
    "Solid: the datasheet's roof. Dashed: what the calibration reaches of it. Grey: the same step at batches from 1 to 1,024; hollow where memory does not hold it. The large point is your configuration; a ring shows where it was before.",
  waterfall: "Each bar multiplies the ones before it. The last is the speed-up.",
  serving:
    "Each mark is a number of users. A filled circle fits the memory and meets the target; a cross misses it; pale marks do not fit. The ring is your configuration.",
};

export const render = {
  roofline(data, before) {
    const plot = chart((width, from, share) => charts.roofline(data, width, from, share), LEGEND.roofline);
    const bars = chart((width) => charts.parts(data, width), "The parts of the time. How far they overlap, the calibration says.");
    return {
      headline: data.headline,
      nodes: [plot.figure, bars.figure, table(data.title, data.rows)],
      draw() {
        bars.draw();
        return move(plot, before?.chart.point, data.chart.point);
      },
      redraw() {
        bars.draw();
        plot.draw(null, 1);
      },
    };
  },

  compare(data) {
    const plot = data.bars.length ? chart((width) => charts.waterfall(data, width), LEGEND.waterfall) : null;
    const words = make("p", { className: "explorer-words", textContent: data.analysis.join(" ") });
    const sides = make("div", { className: "explorer-sides" },
      table(`Baseline: ${data.titles[0]}`, data.rows[0]), table(`Proposal: ${data.titles[1]}`, data.rows[1]));
    const chain = data.delivery.length ? [table("Promised to delivered", data.delivery)] : [];
    const draw = () => {
      plot?.draw();
      return () => {};
    };
    return { headline: data.headline, nodes: [words, ...(plot ? [plot.figure] : []), ...chain, sides], draw, redraw: draw };
  },

  serving(data) {
    const plots = [["ttft", "Time to first token"], ["tpot", "Time per output token"]].map(([wait, name]) =>
      chart((width) => charts.serving(data, wait, name, width), ""));
    const pair = make("div", { className: "explorer-charts" }, ...plots.map((plot) => plot.figure));
    const words = make("p", { className: "explorer-legend", textContent: LEGEND.serving });
    const draw = () => {
      for (const plot of plots) plot.draw();
      return () => {};
    };
    return { headline: data.headline, nodes: [pair, words, table(data.title, data.rows)], draw, redraw: draw };
  },
};
