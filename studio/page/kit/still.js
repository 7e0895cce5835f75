// The engine without Python: requests to a worker of this page, which runs the exported graphs.

export function openEngine(say) {
  const worker = new Worker(new URL("still-worker.js", import.meta.url), { type: "module" });
  const waiting = new Map();
  let next = 1;
  worker.onmessage = ({ data: { id, event, done, error } }) => {
    const one = waiting.get(id);
    if (!one) return;
    if (event) one.events.push(event);
    else Object.assign(one, { over: true, failure: done ? null : new Error(error) });
    one.wake?.();
  };
  worker.onerror = (event) => {
    event.preventDefault();
    say(`The networks could not be started: ${event.message || "the browser refused the worker"}`, true);
  };

  async function* ask(panel, what, request, signal) {
    if (signal?.aborted) return;
    const id = next;
    next += 1;
    const one = { events: [], over: false, failure: null, wake: null };
    waiting.set(id, one);
    const cancel = () => {
      worker.postMessage({ id, cancel: true });
      one.over = true;
      one.wake?.();
    };
    signal?.addEventListener("abort", cancel, { once: true });
    worker.postMessage({ id, panel, what, request });
    try {
      while (true) {
        while (one.events.length && !signal?.aborted) yield one.events.shift();
        if (signal?.aborted) return;
        if (one.failure) throw one.failure;
        if (one.over) return;
        await new Promise((resolve) => { one.wake = resolve; });
        one.wake = null;
      }
    } finally {
      signal?.removeEventListener("abort", cancel);
      waiting.delete(id);
      if (!one.over) worker.postMessage({ id, cancel: true });
    }
  }

  async function facts(panel) {
    worker.postMessage({ open: panel });
    return (await fetch(`panels/${panel}/facts.json`)).json();
  }

  return { ask, facts };
}
