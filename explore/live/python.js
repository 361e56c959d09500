// The page's end of the wire to Python: started once, asked one question at a time, the newest first.
export class Python {
  constructor(manifest, build, onProgress) {
    this.waiting = null; // the newest question that has not been sent
    this.asked = null; // the question that Python is at
    this.count = 0;
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.ready = new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }) => {
        if (data.kind === "progress") onProgress(data);
        else if (data.kind === "ready") resolve();
        else if (data.kind === "failed" && !data.id) reject(new Error(data.text));
        else this.#answered(data);
      };
      this.worker.onerror = (event) => reject(new Error(event.message || "the worker did not start"));
    });
    this.worker.postMessage({ kind: "start", build: build.href, wheels: manifest.wheels });
  }

  // The answer, or null where a newer question took its turn.
  ask(view, state) {
    this.waiting?.resolve(null);
    return new Promise((resolve, reject) => {
      this.waiting = { view, state, resolve, reject };
      this.#send();
    });
  }

  #send() {
    if (this.asked || !this.waiting) return;
    this.asked = this.waiting;
    this.waiting = null;
    this.worker.postMessage({ kind: "ask", id: ++this.count, view: this.asked.view, state: this.asked.state });
  }

  #answered({ kind, text }) {
    const { resolve, reject } = this.asked;
    this.asked = null;
    if (kind === "failed") reject(new Error(text));
    else resolve(JSON.parse(text));
    this.#send();
  }
}
