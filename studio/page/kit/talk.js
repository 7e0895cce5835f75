// The live engine: requests to Python over one WebSocket, answered event by event.

const AGAIN_MS = [200, 500, 1000, 2000, 4000];

export function openEngine(say) {
  const waiting = new Map(); // id -> {push, end, fail}
  let socket = null;
  let opening = null;
  let next = 1;
  let failures = 0;

  function connect() {
    opening ??= new Promise((resolve, reject) => {
      const url = new URL("talk", document.baseURI);
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      const made = new WebSocket(url);
      made.onopen = () => {
        socket = made;
        if (failures) say("");
        failures = 0;
        resolve(made);
      };
      made.onmessage = ({ data }) => take(JSON.parse(data));
      made.onclose = () => {
        socket = null;
        opening = null;
        const lost = new Error("the studio in Python does not answer; is it still running?");
        for (const one of waiting.values()) one.fail(lost);
        waiting.clear();
        reject(lost);
        say(lost.message, true);
        setTimeout(() => connect().catch(() => {}), AGAIN_MS[Math.min(failures, AGAIN_MS.length - 1)]);
        failures += 1;
      };
    });
    return opening;
  }

  function take({ id, event, done, error }) {
    const one = waiting.get(id);
    if (!one) return;
    if (event) one.push(event);
    else {
      waiting.delete(id);
      if (done) one.end();
      else one.fail(new Error(error.text));
    }
  }

  async function* ask(panel, what, request, signal) {
    const through = socket ?? (await connect());
    if (signal?.aborted) return;
    const id = next;
    next += 1;
    const events = [];
    let wake = null;
    let over = false;
    let failure = null;
    const stir = () => wake?.();
    waiting.set(id, {
      push: (event) => { events.push(event); stir(); },
      end: () => { over = true; stir(); },
      fail: (error) => { failure = error; over = true; stir(); },
    });
    const cancel = () => {
      if (waiting.delete(id) && through.readyState === WebSocket.OPEN) through.send(JSON.stringify({ id, cancel: true }));
      over = true;
      stir();
    };
    signal?.addEventListener("abort", cancel, { once: true });
    through.send(JSON.stringify({ id, panel, ask: what, with: request }));
    try {
      while (true) {
        while (events.length && !signal?.aborted) yield events.shift();
        if (signal?.aborted) return;
        if (failure) throw failure;
        if (over) return;
        await new Promise((resolve) => { wake = resolve; });
        wake = null;
      }
    } finally {
      signal?.removeEventListener("abort", cancel);
      if (!over) cancel();
    }
  }

  async function facts(panel) {
    const answer = await fetch(`panels/${panel}/facts.json`);
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error);
    return found;
  }

  connect().catch(() => {});
  return { ask, facts };
}
