// RAM's answers without Python: the requests of glimpse/live.py, by its exported step.

import { frameDigits } from "../../kit/framing.js";
import { fromBase64, toBase64 } from "../../kit/pixels.js";
import { Generator } from "../../kit/random.js";

export function open({ facts, graph, Tensor }) {
  graph(Object.keys(facts.networks)[0], "network"); // the first answer is near

  async function* frame({ pixels, width, height, channels }) {
    const digits = await frameDigits(fromBase64(pixels), height, width, channels);
    yield { digits: digits.map(({ image, doubt }) => ({ image: toBase64(image), doubt })) };
  }

  async function* look({ network, image, gazes, glimpses }) {
    const known = facts.networks[network];
    const own = await graph(network, "network");
    const batch = gazes.length;
    const levels = Float32Array.from(fromBase64(image), (level) => level / 255);
    const images = new Float32Array(batch * levels.length);
    for (let k = 0; k < batch; k += 1) images.set(levels, k * levels.length);
    const context = new Tensor("float32", images, [batch, 1, known.height, known.width]);
    const forced = gazes.map((gaze) => placesOf(gaze, known));
    let state = own.begin(batch);
    for (let t = 0; t < Math.min(glimpses, known.glimpses); t += 1) {
      const pairs = (value) => new Tensor("float32", new Float32Array(2 * batch).fill(value), [batch, 2]);
      const step = new Float32Array(batch * known.glimpses);
      for (let k = 0; k < batch; k += 1) step[k * known.glimpses + t] = 1;
      const given = {
        "inputs.noise": pairs(0),
        "inputs.digit": pairs(NaN),
        "inputs.forced": new Tensor("float32", Float32Array.from(forced.flatMap((places) => places[t] ?? [NaN, NaN])), [batch, 2]),
        "inputs.std": new Tensor("float32", new Float32Array(batch).fill(known.std), [batch]),
        "inputs.step": new Tensor("float32", step, [batch, known.glimpses]),
        context,
      };
      const { outputs, state: after } = await own.step(given, state);
      state = after;
      yield { t, gazes: gazes.map((_, k) => seen(outputs, k)) };
    }
  }

  return { frame, look };
}

/** The places that override the policy: the gaze's own rule, the start, and what a person chose. */
function placesOf({ policy, seed = 0, places = [] }, known) {
  const forced = Array(known.glimpses).fill(null);
  if (policy === "fixed-scan") known.scan.forEach((place, t) => { forced[t] = place; });
  else if (policy === "random") {
    const drawn = new Generator(seed).uniform(2 * known.glimpses);
    forced.forEach((_, t) => { forced[t] = [2 * drawn[2 * t] - 1, 2 * drawn[2 * t + 1] - 1]; });
  } else if (known.starts !== "learned") forced[0] = [0, 0];
  places.slice(0, known.glimpses).forEach((place, t) => { if (place) forced[t] = place; });
  return forced;
}

function seen({ location, windows, patches, logits }, k) {
  const own = ({ data, dims }) => {
    const size = dims.slice(1).reduce((all, one) => all * one, 1);
    return Array.from(data.subarray(k * size, (k + 1) * size));
  };
  const found = own(logits);
  const most = Math.max(...found);
  const powers = found.map((value) => Math.exp(value - most));
  const sum = powers.reduce((all, one) => all + one, 0);
  const flat = own(windows);
  return {
    location: own(location),
    windows: Array.from({ length: flat.length / 4 }, (_, s) => flat.slice(4 * s, 4 * s + 4)),
    patches: toBase64(Uint8Array.from(own(patches), (value) => Math.round(255 * Math.min(1, Math.max(0, value))))),
    belief: powers.map((power) => power / sum),
  };
}
