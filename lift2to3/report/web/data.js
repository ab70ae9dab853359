const MISSING = -32768;
const byId = (id) => document.getElementById(id);
const clip = JSON.parse(byId("clip").textContent);
byId("clip").remove();

/** 16-bit numbers as page.py packs them: gzipped steps from frame to frame, low bytes, then high ones. */
async function unpack(packed) {
  const text = atob(packed.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const [rows, ...inner] = packed.shape;
  const channels = inner.reduce((a, b) => a * b, 1);
  const values = new Float32Array(rows * channels);
  for (let channel = 0, at = 0; channel < channels; channel++) {
    let whole = 0;
    for (let row = 0; row < rows; row++, at++) {
      whole = ((whole + (planes[at] | (planes[at + rows * channels] << 8))) << 16) >> 16;
      values[row * channels + channel] = whole === MISSING ? NaN : whole * packed.unit;
    }
  }
  return { rows, channels, values, at: (row, channel) => values[row * channels + channel] };
}

/** Every packed part of the clip, unpacked in place. */
async function unpackAll() {
  for (const [name, part] of Object.entries(clip)) {
    if (part && part.data !== undefined) clip[name] = await unpack(part);
  }
  clip.others = await Promise.all((clip.others ?? []).map(unpack));
  for (const { values } of [clip.world, ...clip.others]) {  // stored round the middle
    for (let i = 0; i < values.length; i++) values[i] += clip.middle[i % 3];
  }
}

const point3 = (frame, joint, world = clip.world) => {
  const start = (frame * clip.names.length + joint) * 3;
  return world.values.subarray(start, start + 3);
};
const point2 = (part, frame, joint) => {
  const start = frame * part.channels + joint * 2;
  return part.values.subarray(start, start + 2);
};
const known = (point) => !Number.isNaN(point[0]);
