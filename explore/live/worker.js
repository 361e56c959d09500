// Python, beside the page: it loads the interpreter and the wheels from the site, then answers one question after another.
let answer;

const tell = (message) => postMessage({ kind: "progress", ...message });

// Every byte that the interpreter fetches counts towards the progress that the reader sees.
let loaded = 0;
let told = 0;
const plainFetch = self.fetch.bind(self);
self.fetch = async (...request) => {
  const reply = await plainFetch(...request);
  if (!reply.ok || !reply.body) return reply;
  const counted = reply.body.pipeThrough(new TransformStream({
    transform(chunk, out) {
      loaded += chunk.byteLength;
      if (performance.now() - told > 100) tellLoaded();
      out.enqueue(chunk);
    },
    flush: tellLoaded,
  }));
  return new Response(counted, { status: reply.status, headers: reply.headers });
};

function tellLoaded() {
  told = performance.now();
  tell({ loaded });
}

async function get(address) {
  const reply = await fetch(address);
  if (!reply.ok) throw new Error(`${address} is missing on the server (${reply.status})`);
  return reply;
}

async function start({ build, wheels }) {
  const { loadPyodide } = await import(`${build}pyodide/pyodide.mjs`);
  const packages = wheels.map((name) => get(build + name).then((reply) => reply.arrayBuffer()));
  const bridge = get(`${build}bridge.py`).then((reply) => reply.text());
  const python = await loadPyodide({ indexURL: `${build}pyodide/` });
  tell({ stage: "Unpacking the package" });
  for (const wheel of await Promise.all(packages)) python.unpackArchive(wheel, "wheel");
  tell({ stage: "Importing the package" });
  python.FS.writeFile("/home/pyodide/bridge.py", await bridge);
  answer = python.pyimport("bridge").answer_json;
}

let ready;
onmessage = async ({ data }) => {
  try {
    if (data.kind === "start") {
      ready = start(data);
      await ready;
      postMessage({ kind: "ready" });
      return;
    }
    await ready;
    postMessage({ kind: "answer", id: data.id, text: answer(data.view, JSON.stringify(data.state)) });
  } catch (error) {
    postMessage({ kind: "failed", id: data.id, text: String(error.message ?? error) });
  }
};
