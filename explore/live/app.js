// The live page: controls, the first touch that starts Python, answers, and the address that holds the configuration.
import { Form } from "./form.js";
import { Python } from "./python.js";
import { render } from "./results.js";

const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

const script = (address) => new Promise((resolve, reject) => {
  const node = make("script", { src: address, onload: resolve });
  node.onerror = () => reject(new Error(`${address} is missing on the server`));
  document.head.append(node);
});

export function mount(place, manifest, build) {
  const view = place.dataset.view;
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

  const form = new Form(view, manifest.catalogue, changed);
  const start = make("button", { type: "button", className: "explorer-start", textContent: "Start" });
  const share = make("button", { type: "button", textContent: "Copy link" });
  const reset = make("button", { type: "button", textContent: "Reset" });
  const said = make("span", { className: "explorer-said" });
  const actions = make("div", { className: "explorer-actions" }, start, share, reset, said);
  const status = make("p", { className: "explorer-status" });
  status.setAttribute("role", "status");
  const bar = make("progress", { max: manifest.fetched, value: 0, hidden: true });
  bar.setAttribute("aria-label", "Loading Python");
  const output = make("div", { className: "explorer-output" });
  place.replaceChildren(form.element, actions, bar, status, output);
  place.classList.add("explorer-live");
  status.textContent = `Touch a control or press Start: your browser then loads ${megabytes(manifest.bytes)} MB of Python from this site, once.`;

  let begun = false;
  let python = null;
  let shown = null; // the last result on the page
  let halt = () => {};

  form.fill(Object.fromEntries(new URLSearchParams(location.search)));
  form.element.addEventListener("focusin", begin);
  form.element.addEventListener("pointerdown", begin);
  start.addEventListener("click", begin);
  share.addEventListener("click", copy);
  reset.addEventListener("click", () => {
    form.fill(form.defaults);
    changed();
  });
  new ResizeObserver(() => {
    if (!shown || output.clientWidth === shown.width) return;
    halt();
    shown.width = output.clientWidth;
    shown.view.redraw();
  }).observe(output);

  function begin() {
    if (begun) return;
    begun = true;
    if (document.activeElement === start) form.element.elements[0].focus();
    start.remove();
    bar.hidden = false;
    let stage = "Starting Python";
    let loaded = 0;
    python = new Python(manifest, build, (news) => {
      stage = news.stage ?? stage;
      loaded = news.loaded ?? loaded;
      bar.value = loaded;
      const share = `${megabytes(loaded)} of ${megabytes(manifest.fetched)} MB`;
      status.textContent = loaded < manifest.fetched ? `Loading Python: ${share} …` : `${stage} …`;
    });
    const library = script(new URL("d3/d3.min.js", build).href).then(() => script(new URL("plot/plot.umd.min.js", build).href));
    python.loaded = Promise.all([library, python.ready]);
    python.loaded.then(compute, failed);
  }

  function changed() {
    history.replaceState(null, "", location.pathname + (form.query ? `?${form.query}` : "") + location.hash);
    said.textContent = "";
    begin();
    compute();
  }

  async function compute() {
    try {
      await python.loaded;
      const data = await python.ask(view, form.state);
      if (data) show(data);
    } catch (error) {
      failed(error);
    }
  }

  function show(data) {
    bar.hidden = true;
    halt();
    status.classList.toggle("explorer-error", Boolean(data.error));
    output.classList.toggle("explorer-stale", Boolean(data.error));
    if (data.error) {
      status.textContent = data.error;
      return;
    }
    const result = render[view](data, shown?.data);
    status.textContent = result.headline.join(" · ");
    output.replaceChildren(...result.nodes);
    for (const still of document.querySelectorAll(".explorer-still")) still.hidden = true;
    shown = { data, view: result, width: output.clientWidth };
    halt = result.draw();
    place.dispatchEvent(new CustomEvent("answer", { detail: data }));
  }

  function failed(error) {
    bar.hidden = true;
    status.classList.add("explorer-error");
    status.textContent = `Python stopped: ${error.message}`;
  }

  async function copy() {
    try {
      await navigator.clipboard.writeText(location.href);
      said.textContent = "Copied.";
    } catch {
      said.textContent = "The address of this page holds the configuration: copy it from there.";
    }
  }
}
