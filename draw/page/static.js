// DRAW's answers without Python: the requests of draw/live.py, by its exported encoder and generator.

import { fromBase64, toBase64 } from "../../kit/pixels.js";
import { Generator } from "../../kit/random.js";

const GUESSES = 40;
const sigmoid = (value) => 1 / (1 + Math.exp(-value));

export function open({ facts, graph, Tensor }) {
  const first = Object.keys(facts.networks)[0];
  graph(first, "generator");
  const labelsOf = (labels) => new Tensor("int64", BigInt64Array.from(labels, BigInt), [labels.length]);

  /** z of all drawings [T][B * Z], with the change along a direction. */
  function noiseOf({ labels, seed, change }, known) {
    const [count, { steps, latent }] = [labels.length, known];
    const drawn = new Generator(seed).normal(count * steps * latent); // [B, T, Z]
    return Array.from({ length: steps }, (_, t) => {
      const z = new Float32Array((change ? change.amounts.length : count) * latent);
      for (let k = 0; k < z.length / latent; k += 1) {
        const start = ((change ? 0 : k) * steps + t) * latent;
        z.set(drawn.subarray(start, start + latent), k * latent);
        if (change?.step === t) {
          known.directions[change.direction].forEach((part, i) => { z[k * latent + i] += change.amounts[k] * part; });
        }
      }
      return z;
    });
  }

  async function* write(request) {
    const known = facts.networks[request.network];
    const own = await graph(request.network, "generator");
    const noise = noiseOf(request, known);
    const batch = noise[0].length / known.latent;
    const labels = request.change ? Array(batch).fill(request.labels[0]) : request.labels;
    let state = own.begin(batch);
    for (let t = 0; t < known.steps; t += 1) {
      const given = { inputs: new Tensor("float32", noise[t], [batch, known.latent]), context: labelsOf(labels) };
      const { outputs, state: after } = await own.step(given, state);
      state = after;
      yield { t, canvases: toBase64(levels(outputs.canvas.data)), windows: rows(outputs.write) };
    }
  }

  /** Read images and draw them: encoder, z, generator, step by step. `given`: what is not given is the canvas's. */
  async function* steps(network, images, labels, noise, given = null) {
    const known = facts.networks[network];
    const [encoder, generator] = await Promise.all([graph(network, "encoder"), graph(network, "generator")]);
    const batch = labels.length;
    let [seeing, drawing] = [encoder.begin(batch), generator.begin(batch)];
    const classes = labelsOf(labels);
    for (let t = 0; t < known.steps; t += 1) {
      const canvas = drawing["state.canvas"];
      const filled = given ? images.map((level, i) => (given[i % given.length] ? level : sigmoid(canvas.data[i]))) : images;
      const { outputs: said, state: read } = await encoder.step({
        ...Object.fromEntries(Object.entries(drawing).map(([name, tensor]) => [name.replace("state", "inputs"), tensor])),
        "context.images": new Tensor("float32", filled, [batch, 1, known.height, known.width]),
        "context.labels": classes,
      }, seeing);
      seeing = read;
      const { mu, log_sigma: logSigma } = said;
      const z = mu.data.map((value, i) => value + Math.exp(logSigma.data[i]) * noise[t][i]);
      const { outputs, state } = await generator.step({ inputs: new Tensor("float32", z, [batch, known.latent]), context: classes }, drawing);
      drawing = state;
      yield { t, canvas: outputs.canvas.data, windows: rows(outputs.write), reads: rows(said.read), kl: divergence(mu, logSigma) };
    }
  }

  async function* redraw({ network, images, labels, seed }) {
    const known = facts.networks[network];
    if (!facts.graphs.includes(`${network}.encoder`)) {
      throw new Error(`the KL of ${network} needs Python: saccade studio`);
    }
    const pixels = Float32Array.from(fromBase64(images), (level) => (level > 127 ? 1 : 0));
    const size = labels.length * known.latent;
    const drawn = new Generator(seed).normal(known.steps * size);
    const noise = Array.from({ length: known.steps }, (_, t) => drawn.subarray(t * size, (t + 1) * size));
    for await (const { t, canvas, windows, reads, kl } of steps(network, pixels, labels, noise)) {
      yield { t, canvases: toBase64(levels(canvas)), windows, reads, kl };
    }
  }

  /** Many endings by the encoder's own posterior; those with the best bounds are kept. */
  async function* finish({ network, image, given, count, seed }) {
    const known = facts.networks[network];
    const classes = known.classes.length;
    const labels = Array.from({ length: Math.ceil(GUESSES / classes) * classes }, (_, k) => (known.labelled ? k % classes : -1));
    const mask = Uint8Array.from(fromBase64(given), (level) => (level > 127 ? 1 : 0));
    const one = Float32Array.from(fromBase64(image), (level) => (level > 127 ? 1 : 0));
    const images = new Float32Array(labels.length * one.length);
    labels.forEach((_, k) => images.set(one, k * one.length));
    const noise = noiseOf({ labels, seed }, known);
    const [all, bounds] = [[], new Float64Array(labels.length)];
    for await (const step of steps(network, images, labels, noise, mask)) {
      all.push({ ...step, levels: levels(step.canvas) });
      step.kl.forEach((nats, k) => { bounds[k] += nats; });
      yield { phase: "drawing" };
    }
    all.at(-1).canvas.forEach((logit, i) => {
      const at = i % one.length;
      if (mask[at]) bounds[Math.floor(i / one.length)] += Math.max(logit, 0) - logit * one[at] + Math.log1p(Math.exp(-Math.abs(logit)));
    });
    const best = labels.map((_, k) => k).sort((a, b) => bounds[a] - bounds[b]).slice(0, count);
    yield { phase: "guess", tried: labels.length, endings: best.map((k) => ending(all, k, one.length, labels[k], bounds[k])) };
  }

  return { write, redraw, finish };
}

function ending(all, k, size, label, bound) {
  const canvases = new Uint8Array(all.length * size);
  all.forEach(({ levels: own }, t) => canvases.set(own.subarray(k * size, (k + 1) * size), t * size));
  return {
    label, bound, canvases: toBase64(canvases), windows: all.map(({ windows }) => windows[k]), kl: all.map(({ kl }) => kl[k]),
  };
}

const levels = (logits) => Uint8Array.from(logits, (value) => Math.round(255 * sigmoid(value)));

function rows({ data, dims: [count, size] }) {
  return Array.from({ length: count }, (_, k) => Array.from(data.subarray(k * size, (k + 1) * size)));
}

/** KL(N(mu, sigma^2) || N(0, I)) of every example, equations 10 and 11. */
function divergence({ data: mu, dims: [count, size] }, { data: logSigma }) {
  return Array.from({ length: count }, (_, k) => {
    let sum = 0;
    for (let i = k * size; i < (k + 1) * size; i += 1) sum += mu[i] ** 2 + Math.exp(2 * logSigma[i]) - 2 * logSigma[i] - 1;
    return sum / 2;
  });
}
