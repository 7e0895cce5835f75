// Grey images: bytes in base64, canvases, and a user's picture files.

export function toBase64(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) {
    text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return btoa(text);
}

export function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

const INK = [243, 239, 231];
const DARK = [16, 18, 22];
const GIVEN = [110, 168, 230];

/** Paint grey levels (0 dark, 255 ink) into a small canvas of width x height; `given` marks pixels in blue. */
export function paint(canvas, bytes, width, height, given = null) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    const part = bytes[i] / 255;
    const ink = given?.[i] > 127 ? GIVEN : INK;
    for (let k = 0; k < 3; k += 1) image.data[4 * i + k] = DARK[k] + (ink[k] - DARK[k]) * part;
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Return a small canvas with an image, to be drawn larger. */
export function picture(bytes, width, height, given = null) {
  const canvas = document.createElement("canvas");
  paint(canvas, bytes, width, height, given);
  return canvas;
}

export const LARGEST_SIDE = 640;

/**
 * Decode a picture file, upright, at most 640 pixels a side, on white where it is transparent; on black, where it is
 * mostly transparent and its ink is light. Returns {canvas, width, height, pixels (RGB bytes)}.
 */
export async function readPicture(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(8, Math.round(bitmap.width * scale));
  const height = Math.max(8, Math.round(bitmap.height * scale));
  if (Math.min(width, height) < 8) throw new Error("expected a picture of 8 x 8 pixels or more");
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const ground = groundOf(context.getImageData(0, 0, width, height).data);
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = ground;
  context.fillRect(0, 0, width, height);
  return { canvas, width, height, pixels: rgb(context, width, height) };
}

function groundOf(data) {
  let opaque = 0;
  let light = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 127) {
      opaque += 1;
      light += (data[i] + data[i + 1] + data[i + 2]) / 3;
    }
  }
  return opaque && opaque < data.length / 8 && light / opaque > 127 ? "black" : "white";
}

export function rgb(context, width, height) {
  const data = context.getImageData(0, 0, width, height).data;
  const bytes = new Uint8Array(width * height * 3);
  for (let i = 0, j = 0; i < data.length; i += 4, j += 3) bytes.set(data.subarray(i, i + 3), j);
  return bytes;
}
