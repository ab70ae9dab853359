const SMALL_PERSON = 140;  // CSS pixels: smaller than this in the whole image, the person is shown closer
const image = { canvas: document.querySelector("#image canvas"), closer: false };

/** The canvas in the image's shape where it may choose its own, and the whole image or the person to begin with. */
function measureImage() {
  if (!clip.projected) return;
  const [width, height] = clip.size;
  image.canvas.style.aspectRatio = `${width} / ${height}`;
  const { clientWidth, clientHeight } = image.canvas;
  image.closer = clip.body_px * Math.min(clientWidth / width, clientHeight / height) < SMALL_PERSON;
}

/** The square round the person within half a second of the frame: its middle and side in pixels. */
function personWindow(frame) {
  const half = Math.round(clip.fps / 2), pelvis = clip.names.indexOf("pelvis");
  const frames = [];
  for (let f = Math.max(0, frame - half); f <= Math.min(clip.frames - 1, frame + half); f++) {
    if (known(point2(clip.projected, f, pelvis))) frames.push(f);
  }
  if (!frames.length) return null;
  const middle = [0, 1].map(
    (axis) => frames.reduce((sum, f) => sum + point2(clip.projected, f, pelvis)[axis], 0) / frames.length);
  let reach = 10;
  for (const f of frames) {
    for (let joint = 0; joint < clip.names.length; joint++) {
      const point = point2(clip.projected, f, joint);
      if (known(point)) reach = Math.max(reach, Math.hypot(point[0] - middle[0], point[1] - middle[1]));
    }
  }
  return { middle, side: 2.1 * reach };
}

/** Pixels of the image to pixels of the canvas: the whole image, or what is round the person. */
function imageWindow(frame, width, height) {
  const person = image.closer ? personWindow(frame) : null;
  const [x, y] = person ? person.middle : clip.size.map((side) => (side - 1) / 2);
  const [wide, high] = person ? [person.side, person.side] : clip.size;
  const scale = Math.min((width - 24) / wide, (height - 24) / high);
  return { scale, place: (p) => [width / 2 + scale * (p[0] - x), height / 2 + scale * (p[1] - y)] };
}

function drawImage(frame) {
  if (!clip.projected) return;
  const { context, width, height } = clearedContext(image.canvas);
  const { scale, place } = imageWindow(frame, width, height);
  const [left, top] = place([-0.5, -0.5]);
  context.fillStyle = ink.floor;
  context.fillRect(left, top, scale * clip.size[0], scale * clip.size[1]);
  context.strokeStyle = ink.grid;
  context.strokeRect(left, top, scale * clip.size[0], scale * clip.size[1]);
  for (const [a, b, side] of clip.sticks) {
    const ends = [point2(clip.projected, frame, a), point2(clip.projected, frame, b)];
    if (ends.every(known)) stroke(context, ends.map(place), ink[side], image.closer ? 3.5 : 2.5, 0.85);
  }
  const gaps = [];
  clip.observed_rows.forEach((row, joint) => {
    const observed = point2(clip.observed, frame, joint);
    const lifted = row < 0 ? [NaN] : point2(clip.projected, frame, row);
    if (!known(observed)) return;
    if (known(lifted)) {
      stroke(context, [place(observed), place(lifted)], ink.gap, 1.5);
      gaps.push([clip.error.at(frame, joint), clip.observed_names[joint]]);
    }
    dot(context, place(observed), image.closer ? 3.5 : 2.6, ink.observed, 1, ink["observed-edge"]);
  });
  const worst = gaps.reduce((most, gap) => (gap[0] > most[0] ? gap : most), [-1, ""]);
  byId("gap").textContent = gaps.length
    ? `largest difference ${number(worst[0])} px, ${worst[1].replaceAll("_", " ")}`
    : "no keypoint observed in this frame";
}
