// The controls of a view: built from what the package offers, read and filled as texts by name.
const STEP = [
  { name: "model", label: "Model", kind: "model" },
  { name: "hardware", label: "Hardware", kind: "hardware" },
  { name: "phase", label: "Phase", kind: "phase" },
  { name: "precision", label: "Precision", kind: "precision" },
  { name: "batch", label: "Batch size", kind: "number", from: 1, to: 1024 },
  { name: "context", label: "Context [tokens]", kind: "number", from: 0, to: 131072, length: true },
  { name: "prompt", label: "Prompt [tokens]", kind: "number", from: 1, to: 131072, length: true },
  { name: "calibration", label: "Calibration", kind: "calibration" },
];

const prefixed = (side) => STEP.map((field) => ({ ...field, name: `${side}.${field.name}` }));

export const VIEWS = {
  roofline: [{ fields: STEP }],
  compare: [
    { title: "Baseline", fields: prefixed("a") },
    { title: "Proposal", fields: prefixed("b") },
  ],
  serving: [
    {
      fields: [
        { name: "model", label: "Model", kind: "model", serving: true },
        { name: "hardware", label: "Hardware", kind: "hardware" },
        { name: "devices", label: "Devices", kind: "number", from: 1, to: 16 },
        { name: "precision", label: "Precision", kind: "precision" },
        { name: "users", label: "Users at once", kind: "number", from: 1, to: 1024 },
        { name: "prompt", label: "Prompt [tokens]", kind: "number", from: 1, to: 131072 },
        { name: "output", label: "Output [tokens]", kind: "number", from: 1, to: 8192 },
        { name: "ttft", label: "TTFT target [ms]", kind: "number", from: 50, to: 20000 },
        { name: "tpot", label: "TPOT target [ms]", kind: "number", from: 1, to: 500 },
        { name: "calibration", label: "Calibration", kind: "calibration", phase: "decode" },
      ],
    },
  ],
};

const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

// A slider moves by equal ratios; zero, where it is allowed, is the leftmost place.
const place = (value, from) => Math.log2(Math.max(value, from || 0.5));
const value = (place_, from) => {
  const exact = 2 ** place_;
  if (exact < Math.max(from, 1)) return from;
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(exact)) - 1);
  const power = 2 ** Math.round(place_);
  return Math.abs(place_ - Math.round(place_)) < 1e-9 ? power : Math.round(exact / unit) * unit;
};

export class Form {
  constructor(view, catalogue, onChange) {
    this.catalogue = catalogue;
    this.defaults = catalogue.defaults[view];
    this.inputs = new Map();
    this.fields = new Map();
    this.onChange = onChange;
    this.element = make("form", { className: "explorer-form" });
    this.element.setAttribute("aria-label", "Configuration");
    this.element.addEventListener("submit", (event) => event.preventDefault());
    for (const { title, fields } of VIEWS[view]) {
      const group = make(title ? "fieldset" : "div", { className: "explorer-fields" });
      if (title) group.append(make("legend", { textContent: title }));
      group.append(...fields.map((field) => this.#control(field)));
      this.element.append(group);
    }
    this.fill(this.defaults);
  }

  get state() {
    return Object.fromEntries([...this.inputs].map(([name, input]) => [name, input.value]));
  }

  // What differs from the defaults, as the address of the page holds it.
  get query() {
    const changed = Object.entries(this.state).filter(([name, text]) => text !== this.defaults[name]);
    return new URLSearchParams(changed).toString();
  }

  fill(state) {
    for (const [name, text] of Object.entries(state)) {
      const input = this.inputs.get(name);
      if (!input) continue;
      // What the list does not hold is added, so that the package can say what it thinks of it.
      if (input.tagName === "SELECT" && ![...input.options].some((o) => o.value === text)) {
        input.append(make("option", { value: text, textContent: text }));
      }
      input.value = text;
      this.#moveSlider(name);
    }
    for (const name of this.inputs.keys()) this.#depend(name, true);
  }

  #control(field) {
    const ident = `explorer-${field.name.replace(".", "-")}`;
    const label = make("label", { htmlFor: ident, textContent: field.label });
    const input = field.kind === "number" ? this.#number(field) : make("select");
    input.id = ident;
    input.name = field.name;
    this.inputs.set(field.name, input);
    this.fields.set(field.name, { ...field, box: null });
    if (field.kind !== "number") input.append(...this.#choices(field));
    const wide = field.kind === "model" || field.kind === "hardware" ? " explorer-wide" : "";
    const box = make("div", { className: `explorer-field${wide}` }, label, input);
    if (field.kind === "number") {
      const slider = make("input", { type: "range", step: 0.25 });
      slider.min = place(field.from, field.from);
      slider.max = place(field.to, field.from);
      slider.setAttribute("aria-label", `${field.label}, slider`);
      slider.addEventListener("input", () => {
        input.value = String(value(Number(slider.value), field.from));
        slider.setAttribute("aria-valuetext", input.value);
        this.#changed(field.name);
      });
      box.append(slider);
      this.fields.get(field.name).slider = slider;
    }
    this.fields.get(field.name).box = box;
    input.addEventListener(field.kind === "number" ? "input" : "change", () => {
      this.#moveSlider(field.name);
      this.#changed(field.name);
    });
    return box;
  }

  #number() {
    return make("input", { type: "text", inputMode: "numeric", autocomplete: "off", spellcheck: false });
  }

  #choices({ kind, serving }) {
    const { models, hardware, precisions, calibrations } = this.catalogue;
    const option = (id, name = id) => make("option", { value: id, textContent: name });
    const grouped = (items) => {
      const groups = Map.groupBy ? Map.groupBy(items, (i) => i.group) : new Map();
      if (!groups.size) for (const i of items) groups.set(i.group, [...(groups.get(i.group) ?? []), i]);
      return [...groups].map(([label, members]) =>
        make("optgroup", { label }, ...members.map(({ id, name }) => option(id, name))));
    };
    if (kind === "model") return grouped(models.filter((model) => !serving || model.serves));
    if (kind === "hardware") return grouped(hardware);
    if (kind === "precision") return Object.keys(precisions).map((name) => option(name));
    if (kind === "calibration") return [option("", "usual"), ...Object.keys(calibrations).map((n) => option(n))];
    return [];
  }

  #changed(name) {
    this.#depend(name);
    this.onChange();
  }

  #moveSlider(name) {
    const { slider, from } = this.fields.get(name);
    const number = Number(this.inputs.get(name).value);
    if (!slider || !Number.isFinite(number)) return;
    slider.value = place(number, from);
    slider.setAttribute("aria-valuetext", this.inputs.get(name).value);
  }

  // Phases follow the model, lengths follow the phase; what the package cannot take together is marked, not forbidden.
  #depend(name, keep = false) {
    const side = name.includes(".") ? name.slice(0, name.indexOf(".") + 1) : "";
    const input = (short) => this.inputs.get(side + short);
    const model = this.catalogue.models.find(({ id }) => id === input("model").value);
    const phase = input("phase");
    if (phase && model && name.endsWith("model")) {
      const before = phase.value || this.defaults[`${side}phase`];
      const phases = Object.keys(model.phases);
      phase.replaceChildren(...phases.map((p) => make("option", { value: p, textContent: p })));
      if (keep && !phases.includes(before)) phase.append(make("option", { value: before, textContent: before }));
      phase.value = keep || phases.includes(before) ? before : phases[0];
    }
    for (const [other, { box, length }] of this.fields) {
      if (length && model && other.startsWith(side)) {
        box.hidden = !model.phases[phase.value]?.includes(other.slice(side.length));
      }
    }
    const device = this.catalogue.hardware.find(({ id }) => id === input("hardware").value);
    this.#mark(input("precision"), (text) =>
      !device || device.peaks.includes(this.catalogue.precisions[text]) ? "" : "no peak published");
    const step = phase?.value ?? this.fields.get("calibration").phase;
    this.#mark(input("calibration"), (text) =>
      !text || this.catalogue.calibrations[text]?.includes(step) ? "" : `not for ${step}`);
  }

  #mark(select, reason) {
    for (const one of select.options) {
      one.dataset.name ??= one.textContent;
      const why = reason(one.value);
      one.textContent = why ? `${one.dataset.name} (${why})` : one.dataset.name;
    }
  }
}
