// A worker that decodes PNG files of labels and scores, so that the page stays responsive with large ones.

import { decodePng } from "./png.js";

/** Return an image with every n-th pixel only, so that its longest side is at most that long. */
function thinned(image, longest) {
  const step = Math.max(1, Math.ceil(Math.max(image.width, image.height) / longest));
  if (step === 1) return image;
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.floor(side / step)));
  const values = new image.values.constructor(width * height);
  for (let row = 0, place = 0; row < height; row += 1) {
    const start = (row * step + (step >> 1)) * image.width + (step >> 1);
    for (let column = 0; column < width; column += 1, place += 1) values[place] = image.values[start + column * step];
  }
  return { ...image, width, height, values };
}

addEventListener("message", async ({ data: { number, content, longest } }) => {
  try {
    const image = thinned(await decodePng(content), longest);
    postMessage({ number, image }, [image.values.buffer]);
  } catch (error) {
    postMessage({ number, wrong: error.message });
  }
});
