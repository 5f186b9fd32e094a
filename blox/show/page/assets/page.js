"use strict";
// The page of one model. Its data lie in <script id="data">: `parts` are the functions of
// the model, each once, and the tree, the picture, the search and the details are made of
// them when they are wanted. Text of the model reaches the page by textContent alone.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const LARGEST = 220; // boxes of a picture: of a larger function, those around the chosen one
  const MAX_FOUND = 100; // hits that are listed

  // --- Elements and numbers ----------------------------------------------------------

  /** An element; `children` are elements and texts. */
  function element(tag, fields = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(fields)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== undefined && value !== null) made.setAttribute(name, value);
    }
    made.append(...children.filter((c) => c !== null && c !== undefined && c !== ""));
    return made;
  }

  function svg(tag, fields = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(fields)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  /** True for `relu_2` of the op `relu`. */
  const alike = (name, op) => name.replace(/_\d+$/, "") === op;

  const number = (n) => n.toLocaleString("en-US");

  function bytes(n) {
    if (n < 1024) return `${number(n)} B`;
    const units = ["KiB", "MiB", "GiB", "TiB"];
    let size = n / 1024;
    while (size >= 1024 && units.length > 1) { size /= 1024; units.shift(); }
    return `${size.toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} ${units[0]}`;
  }

  /** `295k*batch*seq^2` as `295k·batch·seq²`. */
  const power = (text) => text.replaceAll("*", "·").replace(/\^(\d+)/g, (_, n) => [...n].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).join(""));

  const shortened = (text, size) => (text.length > size ? `${text.slice(0, size - 1)}…` : text);

  // --- The tree as data: rows that know their children when they are asked ------------

  /** What a row is and where it lies; `nodes` is the function whose nodes lie below it. */
  function row(parent, kind, name, fields) {
    const depth = parent ? parent.depth + 1 : 0;
    return { parent, kind, name, depth, open: false, kids: null, scope: "", path: "", times: "", ...fields };
  }

  const joined = (...names) => names.filter((n) => n !== "").join(".");

  const root = row(null, "model", data.name, { label: data.format, count: data.totals.parameters + data.totals.state, bytes: data.bytes });

  function children(of) {
    of.kids ??= [...childrenOf(of)];
    return of.kids;
  }

  function* childrenOf(of) {
    if (of.kind === "model") {
      for (const [name, part] of data.entries) {
        yield row(of, "entry", name, { ...sized(data.parts[part]), nodes: part, path: name, label: "entry" });
      }
    } else if (of.nodes !== undefined) {
      yield* nodeRows(of, of.nodes);
    } else if (of.node?.calls) {
      for (const call of of.node.calls) yield* calleeRows(of, call);
    } else if (of.node?.arrays) {
      for (const array of of.node.arrays) {
        if (array.name) {
          yield row(of, "array", array.name, { ...sized(array), array, part: of.part, node: null, label: marks(array), gives: array.type, scope: joined(of.scope, array.name), path: joined(of.path, array.name) });
        }
      }
    }
  }

  const sized = (found) => ({ count: found.count, bytes: found.bytes, flops: found.flops });
  const marks = (array) => [array.kind === "param" ? "" : array.kind, array.frozen ? "frozen" : ""].filter(Boolean).join(", ");

  /** The op, and the functions that it runs. */
  const labelOf = (node) => [node.op, ...new Set((node.calls ?? []).map((c) => data.parts[c.part].name))].join(" ");

  function* nodeRows(of, part) {
    for (const node of data.parts[part].nodes ?? []) {
      const [only] = node.calls ?? [];
      const simple = node.calls?.length === 1 && !only.role && !(only.copies?.length > 1);
      const scope = joined(of.scope, node.scope ?? node.name);
      const inner = simple && only.copies ? joined(scope, String(only.copies[0][0])) : scope;
      yield row(of, "node", node.name, {
        ...sized(node), node, part,
        label: labelOf(node),
        gives: (node.gives ?? []).map((g) => shapeOf(g[1])).filter(Boolean).join(", "),
        times: only?.times && simple ? `× ${only.times}` : "",
        nodes: simple ? only.part : undefined,
        own: scope, scope: inner, path: joined(of.path, node.name),
      });
    }
  }

  function* calleeRows(of, call) {
    const found = data.parts[call.part];
    if (call.role) {
      yield row(of, "role", call.role, { ...sized(found), part: of.part, nodes: call.part, label: found.name, times: call.times ? `× ${call.times}` : "", scope: joined(of.own, call.role), path: joined(of.path, call.role) });
      return;
    }
    for (const [first, last, part] of call.copies ?? [[0, 0, call.part]]) {
      const name = first === last ? String(first) : `${first}–${last}`;
      yield row(of, "copies", name, { ...sized(data.parts[part]), part: of.part, nodes: part, label: data.parts[part].name, times: last > first ? `× ${last - first + 1}` : "", scope: joined(of.own, String(first)), path: joined(of.path, String(first)) });
    }
  }

  const shapeOf = (type) => (type ? type.replace(/^[^[]*/, "") || type : "");
  const hasChildren = (of) => of.kind === "model" || (of.nodes !== undefined && (data.parts[of.nodes].nodes ?? []).length > 0) || (of.nodes === undefined && Boolean(of.node?.calls || of.node?.arrays?.some((a) => a.name)));

  // --- The tree in sight --------------------------------------------------------------

  const tree = byId("tree");
  const sizer = element("div", { class: "sizer", role: "none" });
  tree.append(sizer);
  let shown = []; // the rows that are not folded away
  let chosen = root;
  let measure = "count"; // what the last column shows
  let inside = true; // whether the picture is that of the function which the chosen row runs

  function unfold() {
    shown = [];
    const add = (of) => {
      shown.push(of);
      if (of.open) for (const kid of children(of)) add(kid);
    };
    add(root);
    shown.forEach((of, i) => { of.at = i; });
    drawTree();
  }

  const rowHeight = () => parseFloat(getComputedStyle(document.documentElement).fontSize) * 1.75;

  /** Makes the rows in sight; all others are but the height of the sizer. */
  function drawTree() {
    const height = rowHeight();
    sizer.style.height = `${shown.length * height}px`;
    const first = Math.max(0, Math.floor(tree.scrollTop / height) - 8);
    const last = Math.min(shown.length, Math.ceil((tree.scrollTop + tree.clientHeight) / height) + 8);
    sizer.replaceChildren(...shown.slice(first, last).map((of, i) => treeItem(of, (first + i) * height)));
    tree.setAttribute("aria-activedescendant", `row-${chosen.at}`);
  }

  function treeItem(of, top) {
    const siblings = of.parent ? children(of.parent) : [root];
    const twist = element("span", { class: "twist", "aria-hidden": "true" });
    const count = element("span", { class: "count" });
    count.append(amount(of));
    if (measure === "flops") count.title = amount(of);
    count.style.setProperty("--share", share(of));
    const item = element("div", {
      id: `row-${of.at}`, role: "treeitem", class: `row ${of.kind} ${of.node?.unused ? "unused" : ""}`,
      "aria-level": of.depth + 1, "aria-setsize": siblings.length, "aria-posinset": siblings.indexOf(of) + 1,
      "aria-selected": of === chosen, "aria-expanded": hasChildren(of) ? String(of.open) : null,
    },
    element("span", { class: "main", title: of.path }, twist,
      element("span", { class: "name" }, of.name),
      of.times ? element("span", { class: "times" }, of.times) : null,
      of.label && !alike(of.name, of.label) ? element("span", { class: "kind" }, of.label) : null),
    element("span", { class: "gives", title: of.gives ?? "" }, of.gives ?? ""), count);
    item.style.transform = `translateY(${top}px)`;
    item.style.setProperty("--depth", Math.min(of.depth, 12));
    item.addEventListener("click", (event) => {
      if (event.target === twist) toggle(of);
      else if (of === chosen) toggle(of);
      else choose(of);
    });
    return item;
  }

  /** What the last column says of a row. */
  function amount(of) {
    if (measure === "flops") return power(of.flops ?? "");
    if (!of.count) return "";
    if (of.node?.shared) return "shared";
    return measure === "bytes" ? bytes(of.bytes) : number(of.count);
  }

  /** The part of the model's numbers, or of the function's around it, that a row has. */
  function share(of) {
    if (measure === "flops" || of.node?.shared) return 0;
    const whole = of.kind === "model" || of.kind === "entry" ? root : data.parts[of.part ?? of.nodes];
    const part = whole[measure] ? Math.min(1, of[measure] / whole[measure]) : 0;
    return part < 0.02 ? 0 : part.toFixed(4);
  }

  byId("measure").addEventListener("change", (event) => {
    measure = event.target.value;
    document.querySelector(".tree-pane").classList.toggle("flops", measure === "flops");
    drawTree();
  });

  function toggle(of, open = !of.open) {
    if (!hasChildren(of)) return choose(of);
    of.open = open;
    unfold();
    choose(of, open);
  }

  /** Selects a row: opens what it lies in, and shows its picture and details. */
  function choose(of, within = of.kind !== "node") { // within: what it runs, if it runs something
    chosen = of;
    inside = (within || of.kind === "entry") && (of.nodes !== undefined || Boolean(of.node?.calls)); // an entry lies in no function
    let folded = false;
    for (let up = of.parent; up; up = up.parent) { folded ||= !up.open; up.open = true; }
    if (folded || shown[of.at] !== of) unfold();
    const height = rowHeight();
    if (of.at * height < tree.scrollTop) tree.scrollTop = of.at * height;
    const below = (of.at + 1) * height - tree.clientHeight;
    if (below > tree.scrollTop) tree.scrollTop = below;
    drawTree();
    drawCrumbs();
    drawPicture();
    drawPanel();
  }

  const move = (to) => choose(shown[Math.max(0, Math.min(shown.length - 1, to))]);
  const page = () => Math.max(1, Math.floor(tree.clientHeight / rowHeight()) - 1);
  const TREE_KEYS = {
    ArrowDown: () => move(chosen.at + 1),
    ArrowUp: () => move(chosen.at - 1),
    PageDown: () => move(chosen.at + page()),
    PageUp: () => move(chosen.at - page()),
    Home: () => move(0),
    End: () => move(shown.length - 1),
    ArrowRight: () => (hasChildren(chosen) && !chosen.open ? toggle(chosen, true) : hasChildren(chosen) && move(chosen.at + 1)),
    ArrowLeft: () => (chosen.open ? toggle(chosen, false) : chosen.parent && choose(chosen.parent)),
    Enter: () => toggle(chosen),
    " ": () => toggle(chosen),
    "*": () => { for (const kid of chosen.parent ? children(chosen.parent) : [root]) kid.open = hasChildren(kid); unfold(); choose(chosen); },
  };
  tree.addEventListener("keydown", (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? null : TREE_KEYS[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  tree.addEventListener("scroll", () => requestAnimationFrame(drawTree), { passive: true });

  // --- The picture of a function --------------------------------------------------------

  /** The row whose children are the boxes of the picture, null for the model by itself. */
  function frame() {
    if (chosen.kind === "model") return children(root)[0];
    let of = chosen;
    if (!(inside && of.nodes !== undefined)) {
      if (inside) return children(of)[0]; // of several functions the first
      of = of.parent;
      while (of.nodes === undefined) of = of.parent;
    }
    return of;
  }

  /** The node of the picture that the chosen row is, or lies in. */
  function focus(of) {
    for (let up = chosen; up && up !== of; up = up.parent) if (up.parent === of) return up;
    return null;
  }

  const pen = element("canvas").getContext("2d");
  function width(text, font) {
    pen.font = font;
    return pen.measureText(text).width;
  }

  /** Boxes and lines of a function: `{boxes: id -> box, edges}`. */
  function graphOf(part) {
    const boxes = new Map();
    const types = new Map(); // source name -> [type of each output]
    const ids = new Map(); // source name -> id
    for (const given of part.inputs ?? []) {
      const id = `in ${given.name}`;
      boxes.set(id, { kind: "end", title: given.name + (given.optional ? "?" : ""), second: "input", input: given });
      ids.set(given.name, id);
      types.set(given.name, [given.type ?? given.declared ?? ""]);
    }
    (part.nodes ?? []).forEach((node, i) => {
      boxes.set(`node ${i}`, boxOf(node, i));
      ids.set(node.name, `node ${i}`);
      types.set(node.name, (node.gives ?? []).map((g) => g[1] ?? ""));
    });
    const edges = new Map();
    const connect = (source, output, target, field) => {
      if (!ids.has(source)) return;
      const key = `${source} ${output} ${target}`;
      const edge = edges.get(key) ?? { from: ids.get(source), to: target, type: types.get(source)?.[output] ?? "", fields: [] };
      edge.fields.push(field);
      edges.set(key, edge);
    };
    (part.nodes ?? []).forEach((node, i) => {
      for (const [field, source, output] of node.takes ?? []) {
        if (source) connect(source, output, `node ${i}`, field);
      }
    });
    for (const output of part.outputs ?? []) {
      boxes.set(`out ${output.name}`, { kind: "end", title: output.name, second: output.next ? `next ${output.next}` : "output", output });
      if (output.source) connect(output.source, output.output ?? 0, `out ${output.name}`, "");
    }
    return { boxes, edges: [...edges.values()] };
  }

  function boxOf(node, place) {
    const call = node.calls?.[0];
    const numbers = (node.takes ?? []).filter((t) => t[1] === null).map((t) => t[3]);
    const op = node.calls ? labelOf(node) : [node.op, ...numbers].join(" ");
    const plain = alike(node.name, node.op);
    const count = node.count && !node.calls ? number(node.count) : "";
    return {
      place, node,
      kind: node.calls ? "call" : node.arrays ? "array" : "plain",
      title: plain ? [node.name, ...numbers].join(" ") : node.name,
      second: [plain ? "" : op, count].filter(Boolean).join("  ·  "),
      times: call?.times ? `× ${call.times}` : "",
    };
  }

  /** Of a large function the boxes nearest to one of them. */
  function near(graph, start) {
    const next = new Map([...graph.boxes.keys()].map((id) => [id, []]));
    for (const edge of graph.edges) {
      next.get(edge.from).push(edge.to);
      next.get(edge.to).push(edge.from);
    }
    const kept = new Set([start]);
    for (const id of kept) {
      for (const other of next.get(id)) if (kept.size < LARGEST / 3) kept.add(other);
    }
    const boxes = new Map([...graph.boxes].filter(([id]) => kept.has(id)));
    return { boxes, edges: graph.edges.filter((e) => kept.has(e.from) && kept.has(e.to)) };
  }

  const TITLE = "600 13px system-ui, sans-serif";
  const SECOND = "400 11.5px system-ui, sans-serif";
  const LABEL = "10.5px monospace";

  /** Places for boxes and lines, by dagre. */
  function layOut(graph) {
    const layout = new dagre.graphlib.Graph({ multigraph: true });
    layout.setGraph({ rankdir: "TB", nodesep: 22, edgesep: 14, ranksep: 30, marginx: 14, marginy: 10 });
    for (const [id, box] of graph.boxes) {
      const title = shortened(box.title, 32) + (box.times ? `  ${box.times}` : "");
      box.lines = [title, ...(box.second ? [shortened(box.second, 40)] : [])];
      const wide = Math.max(width(title, TITLE), box.second ? width(box.lines[1], SECOND) : 0);
      layout.setNode(id, { width: Math.max(64, Math.ceil(wide) + 26), height: box.second ? 44 : 30, box });
    }
    graph.edges.forEach((edge, i) => {
      edge.label = shortened(edge.type, 34);
      const wide = edge.label ? Math.ceil(width(edge.label, LABEL)) + 10 : 0;
      layout.setEdge(edge.from, edge.to, { edge, width: wide, height: edge.label ? 14 : 0, labelpos: "c" }, String(i));
    });
    dagre.layout(layout);
    return layout;
  }

  let drawn = null; // what the picture shows: its row, layout, elements, scale
  const graphs = new Map(); // by part

  function drawPicture() {
    const of = frame();
    const part = data.parts[of.nodes];
    const target = focus(of);
    if (!graphs.has(of.nodes)) graphs.set(of.nodes, graphOf(part));
    const whole = graphs.get(of.nodes);
    const large = whole.boxes.size > LARGEST;
    const start = target?.node ? `node ${part.nodes.indexOf(target.node)}` : whole.boxes.keys().next().value;
    if (drawn?.of !== of || (large && !drawn.groups.has(start))) {
      const graph = large ? near(whole, start) : whole;
      drawn = { of, groups: new Map(), edges: [], layout: layOut(graph), scale: null };
      byId("note").hidden = !large;
      byId("note").textContent = large ? `${number(graph.boxes.size)} of ${number(whole.boxes.size)} boxes: those around ${whole.boxes.get(start).title}. Choose another node to move on.` : "";
      byId("picture").replaceChildren(painted(of, drawn.layout));
      byId("picture").setAttribute("aria-label", `Picture of ${part.name}: ${number(part.nodes?.length ?? 0)} nodes`);
      byId("picture").scrollTo(0, 0);
      zoom();
    }
    mark(target ? start : null);
  }

  function painted(of, layout) {
    const { width: w, height: h } = layout.graph();
    const made = svg("svg", { viewBox: `0 0 ${w} ${h}`, "aria-hidden": "true" });
    made.append(svg("defs", {}, svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { class: "tip", d: "M0 0 8 4 0 8Z" }))));
    for (const at of layout.edges()) made.append(paintedEdge(layout.edge(at)));
    for (const id of layout.nodes()) made.append(paintedBox(of, id, layout.node(id)));
    return made;
  }

  function paintedEdge({ edge, points, x, y }) {
    const [first, ...rest] = points;
    let d = `M${first.x} ${first.y}`;
    for (let i = 0; i < rest.length - 1; i++) {
      const to = i === rest.length - 2 ? rest[i + 1] : { x: (rest[i].x + rest[i + 1].x) / 2, y: (rest[i].y + rest[i + 1].y) / 2 };
      d += `Q${rest[i].x} ${rest[i].y} ${to.x} ${to.y}`;
    }
    if (rest.length === 1) d += `L${rest[0].x} ${rest[0].y}`;
    const made = svg("g", { class: `edge ${edge.type === "key" ? "key" : ""}` }, svg("path", { d, "marker-end": "url(#tip)" }));
    const hint = svg("title");
    hint.textContent = [edge.type, edge.fields.filter(Boolean).join(", ")].filter(Boolean).join(" as ");
    made.append(hint);
    if (edge.label) {
      const label = svg("text", { x, y: y + 4 });
      label.textContent = edge.label;
      made.append(label);
    }
    drawn.edges.push([edge, made]);
    return made;
  }

  function paintedBox(of, id, { box, x, y, width: w, height: h }) {
    const made = svg("g", { class: `vertex ${box.kind} ${box.node?.unused ? "unused" : ""}`, transform: `translate(${x} ${y})` });
    const rect = { x: -w / 2, y: -h / 2, width: w, height: h, rx: box.kind === "end" ? h / 2 : 7 };
    if (box.times) made.append(svg("rect", { ...rect, x: rect.x + 4, y: rect.y + 4 }));
    made.append(svg("rect", rect));
    box.lines.forEach((line, i) => {
      const text = svg("text", { y: (box.lines.length === 1 ? 4.5 : -3.5) + 17 * i, ...(i ? { class: "second" } : {}) });
      text.textContent = line;
      made.append(text);
    });
    const row = () => (box.node ? children(of).find((kid) => kid.node === box.node) : of);
    made.addEventListener("click", () => choose(row(), !box.node));
    made.addEventListener("dblclick", () => { if (box.node?.calls) toggle(row(), true); });
    drawn.groups.set(id, made);
    return made;
  }

  /** Shows which box is chosen, with its lines, and brings it into sight. */
  function mark(id) {
    for (const [other, made] of drawn.groups) made.classList.toggle("chosen", other === id);
    for (const [edge, made] of drawn.edges) made.classList.toggle("near", edge.from === id || edge.to === id);
    const pane = byId("picture");
    if (!drawn.groups.has(id)) return;
    const { x, y } = drawn.layout.node(id);
    const left = x * drawn.scale, top = y * drawn.scale;
    if (left < pane.scrollLeft + 20 || left > pane.scrollLeft + pane.clientWidth - 20) pane.scrollLeft = left - pane.clientWidth / 2;
    if (top < pane.scrollTop + 30 || top > pane.scrollTop + pane.clientHeight - 30) pane.scrollTop = top - pane.clientHeight / 2;
  }

  /** Sets the scale: by a factor, or without one so that the width fits. */
  function zoom(factor) {
    const { width: w, height: h } = drawn.layout.graph();
    const room = byId("picture").clientWidth - 4;
    const fitting = Math.max(0.7, Math.min(1.1, room / w));
    drawn.scale = factor === undefined ? fitting : Math.max(0.1, Math.min(4, drawn.scale * factor));
    const made = byId("picture").firstElementChild;
    made.setAttribute("width", w * drawn.scale);
    made.setAttribute("height", h * drawn.scale);
  }

  byId("in").addEventListener("click", () => zoom(1.25));
  byId("out").addEventListener("click", () => zoom(0.8));
  byId("fit").addEventListener("click", () => zoom());
  byId("picture").addEventListener("wheel", (event) => {
    if (event.ctrlKey) { event.preventDefault(); zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1); }
  }, { passive: false });

  function drawCrumbs() {
    const of = frame();
    const way = [];
    for (let up = of; up; up = up.parent) way.unshift(up);
    byId("crumbs").replaceChildren(...way.map((up) => element("button", { type: "button", class: "link", onclick: () => choose(up, true) }, up.name + (up.times ? ` ${up.times}` : ""))));
  }

  // --- Details, JSON and code of what is chosen -----------------------------------------

  let tab = "about";
  const TABS = { about, spec, code };

  function drawPanel() {
    for (const name of Object.keys(TABS)) {
      const button = byId(`tab-${name}`);
      button.setAttribute("aria-selected", String(name === tab));
      button.tabIndex = name === tab ? 0 : -1;
    }
    byId("panel").setAttribute("aria-labelledby", `tab-${tab}`);
    byId("panel").replaceChildren(...TABS[tab](chosen).filter(Boolean));
    byId("panel").scrollTop = 0;
  }

  for (const name of Object.keys(TABS)) {
    byId(`tab-${name}`).addEventListener("click", () => { tab = name; drawPanel(); });
  }
  document.querySelector(".tabs").addEventListener("keydown", (event) => {
    const names = Object.keys(TABS);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    tab = names[(names.indexOf(tab) + step + names.length) % names.length];
    drawPanel();
    byId(`tab-${tab}`).focus();
  });

  const heading = (name, path) => [element("h2", {}, name), path && path !== name ? element("p", { class: "path" }, path) : null];

  function facts(pairs) {
    const list = element("dl", { class: "facts" });
    for (const [label, value, kind] of pairs) {
      if (value) list.append(element("div", { class: kind || null }, element("dt", {}, label), element("dd", {}, value)));
    }
    return list.children.length ? list : null;
  }

  /** True for what there are several of, as a row around it has copies or steps. */
  function several(of) {
    for (let up = of.parent; up; up = up.parent) if (up.times) return true;
    return false;
  }

  const amounts = (of, alone) => facts([
    ["parameters", of.count ? number(of.count) : ""],
    ["bytes", of.bytes ? bytes(of.bytes) : ""],
    ["FLOPs", power(of.flops ?? ""), (of.flops ?? "").length > 24 ? "long" : ""],
    ["of the model", alone && root.count ? percent(of.count / root.count) : ""],
  ]);
  const percent = (part) => (part < 0.001 ? "" : `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`);

  /** A heading and a table of names and the lines about each: elements, texts, [text, class]. */
  function table(title, rows) {
    if (!rows.length) return [];
    const body = rows.map(([head, ...lines]) => element("tr", {}, element("th", { scope: "row" }, head), element("td", {}, ...lines.filter(Boolean).map(lineOf))));
    return [element("h3", {}, title), element("table", {}, ...body)];
  }

  function lineOf(line) {
    const [text, kind] = Array.isArray(line) ? line : [line, null];
    return text ? element("div", { class: kind }, text) : null;
  }

  function about(of) {
    if (of.kind === "model") return aboutModel();
    if (of.kind === "array") return [...heading(of.name, of.scope), amounts(of, !several(of)), ...arrayTable([of.array])];
    if (of.kind === "node" && !(inside && of.nodes !== undefined)) return aboutNode(of);
    return aboutFunction(of);
  }

  function aboutModel() {
    const { totals } = data;
    return [
      ...heading(data.name, data.digest),
      facts([["parameters", number(totals.parameters)], ["of them frozen", totals.frozen ? number(totals.frozen) : ""],
        ["state and buffers", totals.state ? number(totals.state) : ""], ["bytes", bytes(data.bytes)],
        ["arrays", number(data.arrays)], ["floating type", data.floats]]),
      ...table("About", data.about.map(([label, text]) => [label, [text, "doc"]])),
      ...table("Entries", data.entries.map(([name, part]) => [name, [signature(data.parts[part]), "type"]])),
      ...table("FLOPs of one run", data.entries.map(([name, part]) => [name, [power(data.parts[part].flops ?? "none"), "type"]])),
    ];
  }

  const typed = (given) => given.name + (given.optional ? "?" : "") + (given.type ? ` ${given.type}` : "");
  const signature = (part) => `(${(part.inputs ?? []).map(typed).join(", ")}) → ${(part.outputs ?? []).map((o) => o.name).join(", ")}`;

  function aboutFunction(of) {
    const part = data.parts[of.nodes ?? of.node.calls[0].part];
    return [
      ...heading(part.name === of.name ? of.name : `${of.name}: ${part.name}`, of.path),
      part.doc ? element("p", { class: "doc" }, part.doc) : null,
      of.times ? element("p", { class: "soft" }, `${of.times}; what is below is one of them.`) : null,
      amounts(part, !of.times && !several(of)),
      ...table("Inputs", (part.inputs ?? []).map((given) => [given.name, [(given.type ?? "") + (given.optional ? ", optional" : ""), "type"], [given.doc ?? "", "soft"]])),
      ...table("Outputs", (part.outputs ?? []).map((given) => [given.name, [outputType(part, given), "type"], [given.next ? `next ${given.next}` : given.doc ?? "", "soft"]])),
      ...table("Attributes", (part.values ?? []).map(([name, value]) => [`$${name}`, [value, "type"]])),
    ];
  }

  function typeFrom(part, source, output) {
    const given = (part.inputs ?? []).find((i) => i.name === source);
    if (given) return given.type ?? "";
    return (part.nodes ?? []).find((n) => n.name === source)?.gives?.[output]?.[1] ?? "";
  }
  const outputType = (part, given) => (given.source ? typeFrom(part, given.source, given.output ?? 0) : given.value ?? "") || given.type || "";

  function aboutNode(of) {
    const { node } = of;
    const part = data.parts[of.part];
    const takes = (node.takes ?? []).map(([field, source, output, text]) => {
      if (source === null) return [field, [text, "type"]];
      const kid = children(of.parent).find((k) => k.name === source);
      const from = kid ? element("button", { type: "button", class: "link", onclick: () => choose(kid) }, source) : source;
      return [field, from, [typeFrom(part, source, output), "type"]];
    });
    const outputs = (node.gives ?? []).map(([name, type]) => [name, [type || "?", "type"]]);
    const runs = (node.calls ?? []).map((call) => [call.role ?? "function", data.parts[call.part].name, [[call.times ? `× ${call.times}` : "", call.stacked ? "stacked" : ""].filter(Boolean).join(", "), "soft"]]);
    return [
      ...heading(of.name, of.path),
      element("p", { class: "soft" }, [node.op, node.shared ? "arrays that an earlier node has too" : "", node.unused ? "nothing uses it" : ""].filter(Boolean).join(", ")),
      amounts(of, !several(of)),
      ...table("Takes", takes),
      ...table("Gives", outputs),
      ...table("Runs", runs),
      ...table("Attributes", (node.set ?? []).map(([name, value]) => [name, [value, "type"]])),
      ...arrayTable(node.arrays ?? []),
      node.arrays && of.own ? element("p", { class: "soft" }, "at ", element("code", {}, of.own)) : null,
    ];
  }

  function arrayTable(arrays) {
    return table("Arrays", arrays.map((a) => [a.name ?? "value", [a.type, "type"], [[number(a.count), marks(a), a.init].filter(Boolean).join(", "), "soft"]]));
  }

  // JSON, as the canonical file has it.

  function spec(of) {
    if (of.kind === "model") return [element("p", { class: "soft" }, "The head of the file; functions and nodes have their own."), listing(data.spec.head, JSON_WORDS)];
    if (of.kind === "array") return spec(of.parent);
    if (of.kind === "node" && !inside) {
      const text = data.spec.functions[data.parts[of.part].name].nodes[of.node.name];
      return [listing(`"${of.node.name}": ${outdented(text, 4)}`, JSON_WORDS)];
    }
    const part = data.parts[of.nodes ?? of.node?.calls?.[0].part];
    const found = data.spec.functions[part.name];
    const nodes = Object.entries(found.nodes).map(([name, text]) => `    "${name}": ${text}`);
    const members = [...found.before.map(([k, t]) => `  "${k}": ${t}`), `  "nodes": {\n${nodes.join(",\n")}\n  }`, ...found.after.map(([k, t]) => `  "${k}": ${t}`)];
    return [listing(`{\n${members.join(",\n")}\n}`, JSON_WORDS)];
  }

  const outdented = (text, by) => text.split("\n").map((line, i) => (i ? line.slice(by) : line)).join("\n");

  // The generated file, cut to what belongs to the chosen row.

  function code(of) {
    if (data.code.note) return [element("p", { class: "soft" }, data.code.note)];
    if (of.kind === "model") return [listing(data.code.text, PYTHON_WORDS)];
    if (of.kind === "array") return code(of.parent);
    const names = new Set();
    if (of.kind === "node" && !of.node.calls) [data.parts[of.part].name, helper(of.node.op)].forEach((n) => names.add(n));
    else if (of.nodes !== undefined) names.add(data.parts[of.nodes].name);
    else for (const call of of.node.calls) names.add(data.parts[call.part].name);
    const lines = data.code.text.split("\n");
    const found = [...names].filter((name) => Object.hasOwn(data.code.functions, name));
    if (!found.length) return [element("p", { class: "soft" }, "The file has no function of its own for it.")];
    const word = of.kind === "node" && !of.node.calls ? new RegExp(`\\b${of.node.name}\\b`) : null;
    return found.map((name, i) => {
      const [first, last] = data.code.functions[name];
      return listing(lines.slice(first - 1, last).join("\n"), PYTHON_WORDS, i ? null : word);
    });
  }

  /** The function of an op in the file; one of the model may have its name. */
  const helper = (op) => (Object.hasOwn(data.code.functions, `${op}_`) ? `${op}_` : op);

  // Groups: remarks, texts, words of the language, numbers; what is matched beside them is plain.
  const PYTHON_WORDS = /(#.*$)|("""(?:(?!""").)*(?:"""|$)|"(?:[^"\\]|\\.)*")|\b(def|return|if|else|elif|for|in|import|from|as|lambda|with|None|True|False|and|or|not|is|raise|while|class)\b|\b(\d[\d_.]*(?:e[+-]?\d+)?)\b/g;
  const JSON_WORDS = /"(?:[^"\\]|\\.)*"(?=\s*:)|(\0)|("(?:[^"\\]|\\.)*")|\b(true|false|null)\b|(-?\b\d[\d.]*(?:e[+-]?\d+)?)\b/gi;
  const CLASSES = [null, "remark", "text", "word", "number-word"];

  /** Lines of code; those that match `marked` stand out. */
  function listing(text, words, marked = null) {
    const made = element("pre");
    let quoted = false; // within a text of several lines
    for (const [i, line] of text.split("\n").entries()) {
      if (i) made.append("\n");
      const span = element("span", { class: marked?.test(line) ? "marked" : null });
      let done = 0;
      if (quoted) {
        const end = line.indexOf('"""');
        quoted = end < 0;
        done = quoted ? line.length : end + 3;
        span.append(element("span", { class: "text" }, line.slice(0, done)));
      }
      for (const found of line.slice(done).matchAll(words)) {
        const at = line.length - found.input.length + found.index;
        const kind = found.findIndex((part, group) => group && part !== undefined);
        if (kind < 0) continue;
        span.append(line.slice(done, at), element("span", { class: CLASSES[kind] }, found[0]));
        done = at + found[0].length;
        quoted = /^"""/.test(found[0]) && !/^""".*"""$/.test(found[0]);
      }
      span.append(line.slice(done));
      made.append(span);
    }
    return made;
  }

  // --- Search: names, ops and paths ---------------------------------------------------

  const search = byId("search");
  const list = byId("found");
  let index = null; // [row, its texts], each function once
  let hits = [];
  let active = 0;

  function indexed() {
    const found = [];
    const seen = new Set();
    const todo = [root];
    for (const of of todo) {
      found.push([of, [of.name, of.label, of.path, of.scope].join(" ").toLowerCase()]);
      if (of.nodes !== undefined) {
        if (seen.has(of.nodes)) continue;
        seen.add(of.nodes);
      }
      todo.push(...children(of));
    }
    return found;
  }

  function find() {
    const query = search.value.trim().toLowerCase();
    index ??= indexed();
    const words = query.split(/\s+/);
    const rank = ([of]) => (of.name.toLowerCase() === query ? 0 : of.name.toLowerCase().startsWith(query) ? 1 : 2);
    hits = query ? index.filter(([, text]) => words.every((word) => text.includes(word))).sort((a, b) => rank(a) - rank(b)).map(([of]) => of) : [];
    active = 0;
    list.replaceChildren(...hits.slice(0, MAX_FOUND).map((of, i) => element("li", { id: `hit-${i}`, role: "option", onmousedown: (event) => { event.preventDefault(); take(i); } },
      of.name, element("span", { class: "kind soft" }, of.label && of.label !== of.name ? `  ${of.label}` : ""), element("span", { class: "where" }, of.kind === "array" ? of.scope : of.path))));
    if (hits.length > MAX_FOUND) list.append(element("li", { class: "where", role: "presentation" }, `and ${number(hits.length - MAX_FOUND)} more`));
    if (query && !hits.length) list.append(element("li", { class: "where", role: "presentation" }, "nothing found"));
    byId("count").textContent = query ? `${number(hits.length)} found` : "";
    list.hidden = !query;
    search.setAttribute("aria-expanded", String(!list.hidden));
    point();
  }

  function point() {
    [...list.children].forEach((item, i) => item.role === "option" && item.setAttribute("aria-selected", String(i === active)));
    const item = byId(`hit-${active}`);
    if (item) { search.setAttribute("aria-activedescendant", item.id); item.scrollIntoView({ block: "nearest" }); }
    else search.removeAttribute("aria-activedescendant");
  }

  function take(i) {
    if (!hits[i]) return;
    closeSearch();
    choose(hits[i]);
    tree.focus();
  }

  function closeSearch() {
    list.hidden = true;
    search.setAttribute("aria-expanded", "false");
  }

  search.addEventListener("input", find);
  search.addEventListener("blur", closeSearch);
  search.addEventListener("keydown", (event) => {
    const last = Math.min(hits.length, MAX_FOUND) - 1;
    if (event.key === "ArrowDown") active = Math.min(last, active + 1);
    else if (event.key === "ArrowUp") active = Math.max(0, active - 1);
    else if (event.key === "Enter") return take(active);
    else if (event.key === "Escape") { search.value = ""; closeSearch(); tree.focus(); return; }
    else return;
    event.preventDefault();
    point();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });

  // --- Light and dark -----------------------------------------------------------------

  const dark = matchMedia("(prefers-color-scheme: dark)");

  function kept(theme) { // a page within a frame may have no storage
    try {
      if (theme) localStorage.setItem("blox-theme", theme);
      return localStorage.getItem("blox-theme");
    } catch { return null; }
  }

  function setTheme(theme) {
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    const now = document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
    byId("theme").textContent = now === "dark" ? "Light" : "Dark";
    byId("theme").setAttribute("aria-label", now === "dark" ? "Use light colours" : "Use dark colours");
    return now;
  }

  byId("theme").addEventListener("click", () => {
    const next = setTheme() === "dark" ? "light" : "dark";
    kept(next);
    setTheme(next);
  });
  dark.addEventListener("change", () => setTheme());

  // --- Start ----------------------------------------------------------------------------

  setTheme(kept());
  byId("title").textContent = data.name;
  const { flops } = data.parts[data.entries[0][1]];
  byId("totals").textContent = [
    `${number(data.totals.parameters)} parameters`,
    data.totals.state ? `${number(data.totals.state)} of state and buffers` : "",
    bytes(data.bytes),
    flops && flops.length < 60 ? `${power(flops)} FLOPs` : "",
  ].filter(Boolean).join("  ·  ");
  root.open = true;
  for (const entry of children(root).slice(0, 1)) entry.open = true;
  unfold();
  choose(root);
  addEventListener("resize", () => { drawTree(); });
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
