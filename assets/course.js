// Predictions on the website: the reader commits to an answer, then the computed one is shown beside it.
(() => {
  const number = (text) => Number(text.trim().replace(",", ".").replace(/[x×%]$/, ""));
  const format = (value) => Number(value.toPrecision(4)).toLocaleString("en-US", { maximumSignificantDigits: 4 });
  const key = (id) => `mlsysim:${id}`;
  const store = {
    get: (id) => { try { return localStorage.getItem(key(id)); } catch { return null; } },
    set: (id, value) => { try { localStorage.setItem(key(id), value); } catch { /* private window: forget it */ } },
  };

  const compare = (guess, reveal, unit) => {
    const truth = Number(reveal.dataset.value);
    if (Number.isNaN(truth)) {
      const right = reveal.dataset.value.split("|").some((word) => word.includes(guess.toLowerCase()));
      return right ? `You said ${guess}: right.` : `You said ${guess}: not so.`;
    }
    const ratio = number(guess) / truth;
    if (!(ratio > 0)) return `You said ${guess}.`;
    if (Math.abs(ratio - 1) <= 0.1) return `You said ${guess}${unit}: well predicted.`;
    return `You said ${guess}${unit}: too ${ratio > 1 ? "high" : "low"} by a factor of ${format(Math.max(ratio, 1 / ratio))}.`;
  };

  const show = (box, reveals, guess) => {
    const unit = box.dataset.unit ? ` ${box.dataset.unit}` : "";
    box.querySelector(".mls-predict-state").textContent = guess ? `Your prediction: ${guess}${unit}` : "You passed on this one.";
    for (const reveal of reveals) {
      reveal.querySelector(".mls-reveal-answer").hidden = false;
      reveal.querySelector(".mls-reveal-wait")?.remove();
      if (!guess) continue;
      const line = reveal.querySelector(".mls-reveal-verdict") ?? reveal.appendChild(document.createElement("p"));
      line.className = "mls-reveal-verdict";
      line.textContent = compare(guess, reveal, unit);
    }
  };

  for (const box of document.querySelectorAll(".mls-predict")) {
    const reveals = [...document.querySelectorAll(`.mls-reveal[data-for="${box.dataset.id}"]`)];
    const options = box.dataset.options ? box.dataset.options.split("|") : [];
    const form = document.createElement("form");
    const label = box.querySelector("p").textContent;
    if (options.length) {
      for (const option of options) {
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: option });
        button.addEventListener("click", () => commit(option));
        form.append(button);
      }
    } else {
      const input = Object.assign(document.createElement("input"), { type: "text", inputMode: "decimal" });
      input.setAttribute("aria-label", label);
      const unit = Object.assign(document.createElement("span"), { textContent: box.dataset.unit });
      form.append(input, unit, Object.assign(document.createElement("button"), { textContent: "Commit" }));
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        if (Number.isFinite(number(input.value)) && input.value.trim()) commit(input.value.trim());
        else input.focus();
      });
    }
    const commit = (guess) => { store.set(box.dataset.id, guess); show(box, reveals, guess); };
    box.append(form);
    const earlier = store.get(box.dataset.id);
    if (earlier) { show(box, reveals, earlier); continue; }
    for (const reveal of reveals) {
      reveal.querySelector(".mls-reveal-answer").hidden = true;
      const wait = Object.assign(document.createElement("p"), { className: "mls-reveal-wait", textContent: "Predict above, or " });
      const skip = Object.assign(document.createElement("button"), { type: "button", textContent: "show the answer" });
      skip.addEventListener("click", () => show(box, reveals, ""));
      wait.append(skip);
      reveal.append(wait);
    }
  }
})();
