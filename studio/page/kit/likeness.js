// Tell a digit from any other mark: the small convolutional network of saccade.images.likeness.

const LAYERS = [[0, 2, 2], [2, 2, 2], [4, 2, 1]]; // the convolutions: number in the sequence, stride, padding
const LINEAR = [7, 9];

let loaded = null;

async function load() {
  const [file, facts] = await Promise.all(["digit_or_not.safetensors", "digit_or_not.json"].map((name) => fetch(new URL(name, import.meta.url))));
  const buffer = await file.arrayBuffer();
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const tensors = {};
  for (const [name, { shape, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    tensors[name] = { shape, data: new Float32Array(buffer.slice(8 + length + offsets[0], 8 + length + offsets[1])) };
  }
  return { tensors, threshold: (await facts.json()).threshold };
}

function convolved(input, side, weight, bias, stride, padding) {
  const [out, channels, kernel] = weight.shape;
  const to = Math.floor((side + 2 * padding - kernel) / stride) + 1;
  const result = new Float32Array(out * to * to);
  for (let o = 0; o < out; o += 1) {
    for (let y = 0; y < to; y += 1) {
      for (let x = 0; x < to; x += 1) {
        let sum = bias.data[o];
        for (let c = 0; c < channels; c += 1) {
          for (let i = 0; i < kernel; i += 1) {
            const v = y * stride + i - padding;
            if (v < 0 || v >= side) continue;
            for (let j = 0; j < kernel; j += 1) {
              const u = x * stride + j - padding;
              if (u >= 0 && u < side) sum += weight.data[((o * channels + c) * kernel + i) * kernel + j] * input[(c * side + v) * side + u];
            }
          }
        }
        result[(o * to + y) * to + x] = Math.max(0, sum);
      }
    }
  }
  return { result, to };
}

function linear(input, weight, bias) {
  const [out, size] = weight.shape;
  return Float32Array.from({ length: out }, (_, o) => {
    let sum = bias.data[o];
    for (let k = 0; k < size; k += 1) sum += weight.data[o * size + k] * input[k];
    return sum;
  });
}

/** Return the network's score: high for what is no digit. */
export async function score(image) {
  loaded ??= load();
  const { tensors } = await loaded;
  const of = (layer, part) => tensors[`${layer}.${part}`];
  let values = Float32Array.from(image, (level) => level / 255);
  let side = 28;
  for (const [layer, stride, padding] of LAYERS) {
    const { result, to } = convolved(values, side, of(layer, "weight"), of(layer, "bias"), stride, padding);
    [values, side] = [result, to];
  }
  const [hidden, last] = LINEAR;
  values = linear(values, of(hidden, "weight"), of(hidden, "bias")).map((value) => Math.max(0, value));
  return linear(values, of(last, "weight"), of(last, "bias"))[0];
}

export async function unlikeADigit(image) {
  const found = await score(image);
  return found > (await loaded).threshold;
}
