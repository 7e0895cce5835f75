// sketch-rnn's answers without Python: the requests of sketch/live.py, by its exported pen, encoder and reader.

import { toBase64 } from "../../kit/pixels.js";
import { Generator } from "../../kit/random.js";
import { density, draw, END, LIFTED, logDensity, mixture, softmax } from "./mixture.js";
import { framed, toMoves } from "./moves.js";

const [LIKELIEST, DIFFERENT] = [-1, -2];
const PLACES = 4;

export function open({ facts, graph, Tensor }) {
  const float = (values, shape) => new Tensor("float32", values instanceof Float32Array ? values : Float32Array.from(values), shape);
  const classes = (labels) => new Tensor("int64", BigInt64Array.from(labels, BigInt), [labels.length]);
  const five = ([dx, dy, lifted]) => [dx, dy, lifted ? 0 : 1, lifted ? 1 : 0, 0];
  const rows = (row, count) => float(Array.from({ length: count }, () => row).flat(), [count, row.length]);

  /** The moves of begun strokes in the network's unit of length. */
  function begunMoves(own, strokes, whole, isDown) {
    const scaled = framed(strokes, own.tolerance, whole).map((stroke) => stroke.map(([x, y]) => [(x * own.size) / 255, (y * own.size) / 255]));
    const moves = toMoves(scaled).map(([dx, dy, lifted]) => [Math.fround(dx / own.unit), Math.fround(dy / own.unit), lifted]);
    if (isDown) moves.at(-1)[2] = 0;
    return moves;
  }

  async function posterior(network, moves) {
    const encoder = await graph(network, "encoder");
    let [state, said] = [encoder.begin(1), null];
    for (let t = 0; t < moves.length; t += 1) {
      const given = { "inputs.ahead": float(five(moves[t]), [1, 5]), "inputs.back": float(five(moves[moves.length - 1 - t]), [1, 5]) };
      ({ outputs: said, state } = await encoder.step(given, state));
    }
    return { mu: [...said.mu.data], logVariance: [...said.log_variance.data] };
  }

  /** The classes, from the one that explains the moves best. */
  async function likeliest(network, moves, mu) {
    const count = facts.networks[network].classes.length;
    const pen = await graph(network, "network");
    const context = { "context.z": rows(mu, count), "context.labels": classes([...Array(count).keys()]) };
    const nats = Array(count).fill(0);
    let [state, input] = [pen.begin(count), [0, 0, 1, 0, 0]];
    for (let t = 0; t <= moves.length; t += 1) {
      const { outputs, state: after } = await pen.step({ "inputs.move": rows(input, count), ...context }, state);
      const target = moves[t];
      for (let k = 0; k < count; k += 1) {
        const found = mixture(outputs.y, k);
        const state3 = target ? (target[2] ? LIFTED : 0) : END;
        nats[k] -= Math.log(softmax(found.pen)[state3]) + (target ? logDensity(found, target[0], target[1]) : 0);
      }
      state = after;
      input = target && five(target);
    }
    return [...Array(count).keys()].sort((a, b) => nats[a] - nats[b]);
  }

  /** z and the classes, from the posterior of what is given, or of the prior. */
  async function plan(request, own, moves) {
    const { network, count, label, seed } = request;
    const chance = new Generator(seed);
    const noise = chance.normal(count * own.latent);
    if (!moves) {
      const any = () => (own.labelled ? chance.next() % own.classes.length : chance.next() * 0);
      return { z: noise, labels: Array.from({ length: count }, () => (label >= 0 ? label : any())) };
    }
    const { mu, logVariance } = await posterior(network, moves);
    const z = noise.map((value, i) => mu[i % own.latent] + Math.exp(logVariance[i % own.latent] / 2) * value);
    if (label >= 0 || !own.labelled) return { z, labels: Array(count).fill(Math.max(0, label)) };
    const order = await likeliest(network, moves, mu);
    return { z, labels: Array.from({ length: count }, (_, k) => order[label === DIFFERENT ? k % order.length : 0]) };
  }

  async function* drawing(asked) {
    const request = { pen_down: true, label: LIKELIEST, most_strokes: 60, density: false, ...asked };
    const { network, strokes, count, temperature } = request;
    const own = facts.networks[network];
    const moves = strokes.length ? begunMoves(own, strokes, facts.whole, request.pen_down) : null;
    if (moves && moves.length >= own.longest) {
      throw new Error(`expected fewer moves than the longest drawing's ${own.longest}, found ${moves.length} moves; undo, or begin again`);
    }
    const { z, labels } = await plan({ ...request, label: Math.max(moves ? DIFFERENT : LIKELIEST, request.label) }, own, moves);
    yield { classes: labels.map((label) => own.classes[label]) };
    const pen = await graph(network, "network");
    const context = { "context.z": float(z, [count, own.latent]), "context.labels": classes(labels) };
    let state = pen.begin(count);
    for (const move of moves ? [[0, 0, 0], ...moves].slice(0, -1) : []) {
      ({ state } = await pen.step({ "inputs.move": rows(five(move), count), ...context }, state));
    }
    const chance = new Generator(request.seed + 1);
    const uniform = chance.uniform(count * own.most * 2);
    const normal = chance.normal(count * own.most * 2);
    const unit = (own.unit * facts.whole) / own.size;
    const going = Array(count).fill(request.most_strokes);
    let input = rows(moves ? five(moves.at(-1)) : [0, 0, 1, 0, 0], count);
    for (let t = 0; t < own.most && going.some(Boolean); t += 1) {
      const { outputs, state: after } = await pen.step({ "inputs.move": input, ...context }, state);
      state = after;
      const chosen = going.map((_, k) => {
        const at = 2 * (k * own.most + t);
        return draw(mixture(outputs.y, k), [...uniform.subarray(at, at + 2), ...normal.subarray(at, at + 2)], temperature);
      });
      input = float(chosen.flatMap(([dx, dy, pen3]) => [dx, dy, ...[0, 1, 2].map((one) => (one === pen3 ? 1 : 0))]), [count, 5]);
      const event = { t, moves: chosen.map(([dx, dy, pen3], k) => (going[k] ? [dx * unit, dy * unit, pen3] : null)) };
      chosen.forEach(([, , pen3], k) => { going[k] = pen3 === END || !going[k] ? 0 : going[k] - (pen3 === LIFTED); });
      if (request.density) event.density = going.map((_, k) => toBase64(density(mixture(outputs.y, k), facts.reach / unit, facts.cells)));
      yield event;
    }
  }

  async function* read({ strokes }) {
    const own = facts.reader;
    const moves = begunMoves(own, strokes, null, false);
    const reader = await graph(own.name, "network");
    let [state, x, y] = [reader.begin(1), 0, 0];
    const beliefs = [];
    for (const move of moves) {
      [x, y] = [x + move[0], y + move[1]];
      const { outputs, state: after } = await reader.step({ "inputs.move": float([...five(move), x / PLACES, y / PLACES], [1, 7]) }, state);
      state = after;
      beliefs.push(softmax([...Object.values(outputs)[0].data]));
    }
    yield { beliefs };
  }

  return { draw: drawing, read };
}
