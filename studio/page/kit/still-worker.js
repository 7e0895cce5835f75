// The worker of the page without Python: ONNX Runtime on one thread, and the panels' static halves.

import * as ort from "../runtime/ort.wasm.min.mjs";

/** The runtime's program, unpacked, if the server has not done that already. */
async function program() {
  const data = new Uint8Array(await (await fetch(new URL("../runtime/ort-wasm-simd-threaded.wasm.packed", import.meta.url))).arrayBuffer());
  if (data[0] !== 0x1f || data[1] !== 0x8b) return data.buffer;
  return new Response(new Blob([data]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

const unpacked = program();
unpacked.catch(() => {}); // told where it is awaited
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = new URL("../runtime/", import.meta.url).href;
ort.env.logLevel = "error";

/** One exported graph: a step of a network. */
class Graph {
  constructor(session, described) {
    Object.assign(this, { session, described });
  }

  /** The state before the first step, for a batch. */
  begin(batch) {
    return Object.fromEntries(
      Object.entries(this.described.initial).map(([name, { shape, values }]) => {
        const data = new Float32Array(batch * values.length);
        for (let k = 0; k < batch; k += 1) data.set(values, k * values.length);
        return [name, new ort.Tensor("float32", data, [batch, ...shape])];
      }),
    );
  }

  /** Take a step: tensors by name (inputs..., state..., context...); returns outputs and the state after it. */
  async step(given, state) {
    const feeds = {};
    for (const name of this.session.inputNames) feeds[name] = given[name] ?? state[name];
    const found = await this.session.run(feeds);
    const outputs = {};
    const after = {};
    for (const [name, tensor] of Object.entries(found)) {
      if (name.startsWith("after")) after[name.replace("after", "state")] = tensor;
      else outputs[name.replace("outputs.", "")] = tensor;
    }
    return { outputs, state: after };
  }
}

const opened = new Map();
const stopped = new Set();

/** Open a panel's static half once; its graphs are loaded when they are first asked for. */
function open(panel) {
  if (!opened.has(panel)) opened.set(panel, opening(panel));
  return opened.get(panel);
}

async function opening(panel) {
  const base = new URL(`../panels/${panel}/`, import.meta.url);
  const [module, facts, described] = await Promise.all([
    import(new URL("static.js", base)),
    fetch(new URL("facts.json", base)).then((answer) => answer.json()),
    fetch(new URL("graphs.json", base)).then((answer) => answer.json()),
  ]);
  const graphs = new Map();
  const graph = (network, name) => {
    const key = `${network}.${name}`;
    if (!graphs.has(key)) {
      graphs.set(key, (async () => {
        ort.env.wasm.wasmBinary ??= await unpacked;
        const data = new Uint8Array(await (await fetch(new URL(`${key}.onnx`, base))).arrayBuffer());
        return new Graph(await ort.InferenceSession.create(data, { executionProviders: ["wasm"] }), described[key]);
      })());
    }
    return graphs.get(key);
  };
  return module.open({ facts, graph, Tensor: ort.Tensor });
}

let turn = Promise.resolve(); // one session runs at a time; answers take turns step by step

async function answer({ id, panel, what, request }) {
  try {
    const half = await open(panel);
    const events = half[what](request);
    while (!stopped.has(id)) {
      const mine = turn.then(() => events.next());
      turn = mine.catch(() => {});
      const { value, done } = await mine;
      if (done) break;
      postMessage({ id, event: value });
      await new Promise((resolve) => setTimeout(resolve)); // let a cancellation in
    }
    if (stopped.has(id)) await events.return?.();
    postMessage({ id, done: true });
  } catch (error) {
    postMessage({ id, error: error.message });
  } finally {
    stopped.delete(id);
  }
}

onmessage = ({ data }) => {
  if (data.open) open(data.open).catch(() => {});
  else if (data.cancel) stopped.add(data.id);
  else answer(data);
};
