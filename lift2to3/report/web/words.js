function element(parent, tag, text = "", className = "") {
  const made = document.createElement(tag);
  if (text !== "") made.textContent = text;
  if (className) made.className = className;
  parent.append(made);
  return made;
}

function number(value, digits = 1) {
  return value === null || value === undefined || Number.isNaN(value) ? "–" : value.toFixed(digits).replace("-", "−");
}

/** What is not there is not shown: classes that page.css knows. */
function hideAbsent() {
  const spread = clip.spread_by_joint.some((joint) => joint.median !== null);
  for (const [what, there] of Object.entries({ camera: clip.camera, image: clip.projected, spread })) {
    document.body.classList.toggle(`no-${what}`, !there);
  }
}

function writeHeader() {
  document.title = `${clip.title} – lift2to3 report`;
  byId("title").textContent = clip.title;
  byId("subtitle").textContent = clip.subtitle;
  for (const [name, value, remark] of clip.facts) {
    const fact = element(byId("facts"), "div");
    element(fact, "dt", name);
    element(fact, "dd", value, "value");
    element(fact, "dd", remark, "remark");
  }
  const box = byId("remarks");
  if (!clip.remarks.length) {
    element(box, "p", "No warnings from the checks.", "fine");
    return;
  }
  box.className = "panel warnings";
  element(box, "h2", clip.remarks.length === 1 ? "One warning" : `${clip.remarks.length} warnings`);
  const list = element(box, "ul");
  for (const remark of clip.remarks) element(list, "li", remark);
}

function writeBars(box, joints) {
  const parts = new Map();
  for (const joint of joints) {
    if (joint.median === null) continue;
    if (!parts.has(joint.part)) parts.set(joint.part, []);
    parts.get(joint.part).push(joint);
  }
  const most = Math.max(...joints.map((joint) => joint.high ?? 0), 1e-9);
  if (!parts.size) element(box, "p", "Nothing was measured.", "muted");
  for (const [part, sides] of parts) {
    const row = element(box, "div", "", "bar-row");
    element(row, "span", part, "name");
    const bars = element(row, "span");
    for (const side of sides) {
      const bar = element(bars, "div", "", "bar");
      bar.title = `${side.name}: median ${number(side.median)}, 95th percentile ${number(side.high)}`;
      for (const [measure, pale] of [["high", " high"], ["median", ""]]) {
        element(bar, "i", "", side.side + pale).style.width = `${(100 * side[measure]) / most}%`;
      }
    }
    element(row, "span", sides.map((side) => number(side.median)).join("  ·  "), "number");
  }
}

function writeTables() {
  const table = byId("bones");
  const head = element(table, "tr");
  for (const name of ["", "left, cm", "right, cm", "varies by", "adults, cm", ""]) element(head, "th", name);
  for (const bone of clip.bones) {
    const row = element(table, "tr");
    element(row, "td", bone.name);
    if (bone.middle_cm === undefined) {
      element(row, "td", number(bone.left_cm));
      element(row, "td", number(bone.right_cm));
    } else {
      element(row, "td", number(bone.middle_cm)).colSpan = 2;
    }
    element(row, "td", bone.variation === null ? "–" : `${number(100 * bone.variation)} %`);
    element(row, "td", bone.ordinary_cm.map((bound) => bound.toFixed(0)).join("–"));
    const kind = { plausible: "good", "not measured": "" }[bone.verdict] ?? "odd";
    element(row, "td", bone.verdict, `verdict ${kind}`);
  }
  byId("more").hidden = !clip.rows.length;
  for (const [name, value] of clip.rows) {
    const row = element(byId("rows"), "tr");
    element(row, "td", name, "muted");
    element(row, "td", value);
  }
}
