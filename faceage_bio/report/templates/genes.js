// All genes of an analysis: unpacked when their place comes near, then found by name, sorted, and told at the pointer.
{
  const STEP = 50, NEAR = 14; // rows at a time; how far from a dot its name is told, in units of the picture
  const minus = (text) => text.replace("-", "−");
  const fixed = (value, digits) => {
    if (value === null) return "–";
    const text = value.toFixed(digits);
    return minus(Number(text) === 0 ? text.replace("-", "") : text);
  };
  const probability = (p) => p === null ? "–" : p >= 0.9995 ? "> 0.999" : p >= 0.001 ? p.toFixed(3) : p > 0 ? p.toExponential(1) : "< 1e-300";
  const make = (name, text = "", className = "") => Object.assign(document.createElement(name), { textContent: text, className });

  async function unpack(packed) {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  // identifiers by symbol, once for all tables of the page
  const known = document.querySelector("script.gene-ids");
  const identifiers = known ? unpack(JSON.parse(known.textContent)).then(([symbols, ids]) => new Map(symbols.map((symbol, k) => [symbol, ids[k]])), () => new Map()) : new Map();

  async function explore(place) {
    const told = JSON.parse(place.querySelector("script.genes").textContent);
    const [field, found, more, which] = ["input", ".found", ".more", ".which"].map((name) => place.querySelector(name));
    let columns;
    try { columns = await unpack(told.data); } catch { found.textContent = "This browser is too old to unpack the genes; the list below is all it can show."; return; }
    const names = columns[0], count = names.length, all = [...names.keys()];
    const symbols = await identifiers, ids = names.map((name) => symbols.get(name) ?? "");
    const lower = names.map((name, k) => (name + "\n" + ids[k]).toLowerCase());
    let order = all, shown = all, limit = place.querySelectorAll("tbody tr").length;

    const words = (cell, k) => {
      if (cell.kind === "id") return ids[k];
      const value = columns[cell.at][k];
      if (cell.kind === "panel") return value ? "declared" : "";
      if (cell.kind === "p") return probability(value);
      return cell.kind === "name" ? value : fixed(value, cell.digits);
    };
    const interval = (cell, k) => {
      const [estimate, low, beyond] = [0, 1, 2].map((part) => columns[cell.at + part][k]);
      const high = low === null ? null : 2 * estimate - low + beyond / 10 ** cell.digits;
      const ends = [low, high].map((end) => fixed(end, cell.digits));
      return low === null ? "" : "(" + ends.join(ends.some((end) => /^[−–]/.test(end)) ? " to " : "–") + ")";
    };
    const row = (k) => {
      const line = make("tr");
      for (const cell of told.cells) {
        const box = line.appendChild(make(cell.kind === "name" ? "th" : "td", "", ["id", "panel"].includes(cell.kind) ? "w" : ""));
        if (cell.kind === "name") {
          box.scope = "row";
          const button = box.appendChild(make("button", words(cell, k), "gene"));
          button.type = "button";
          button.onfocus = button.onmouseenter = button.onclick = () => mark(k);
          button.onblur = button.onmouseleave = () => mark(-1);
        } else box.textContent = words(cell, k);
        if (cell.kind === "estimate" && interval(cell, k)) box.append(" ", make("small", interval(cell, k)));
      }
      return line;
    };
    const fill = () => {
      place.querySelector("tbody").replaceChildren(...shown.slice(0, limit).map(row));
      more.hidden = shown.length <= limit;
      which.textContent = "(" + Math.min(limit, shown.length).toLocaleString("en") + " of " + shown.length.toLocaleString("en") + ")";
    };
    const find = () => {
      const wanted = field.value.trim().toLowerCase();
      shown = wanted ? order.filter((k) => lower[k].includes(wanted)) : order;
      const exact = (k) => names[k].toLowerCase() === wanted ? 0 : lower[k].startsWith(wanted) ? 1 : 2;
      if (wanted) shown = shown.map((k) => [exact(k), k]).sort((a, b) => a[0] - b[0]).map((pair) => pair[1]);
      found.textContent = wanted ? shown.length.toLocaleString("en") + " of " + count.toLocaleString("en") + " genes" : "";
      fill();
      mark(wanted && shown.length ? shown[0] : -1);
    };
    field.oninput = find;
    more.onclick = () => { limit += STEP; fill(); };

    // sorted by a click on a column's head: numbers from small to large, missing ones last
    const heads = [...place.querySelectorAll("thead th")];
    heads.forEach((head, n) => {
      const button = make("button", head.textContent, "sort");
      button.type = "button";
      head.replaceChildren(button);
      button.onclick = () => {
        const first = told.cells[n].kind === "panel" ? "descending" : "ascending";
        const down = (head.getAttribute("aria-sort") === first) === (first === "ascending");
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const values = told.cells[n].kind === "id" ? ids : columns[told.cells[n].at];
        const compare = typeof values[0] === "string" ? (a, b) => values[a].localeCompare(values[b]) : (a, b) => values[a] - values[b];
        const missing = (k) => values[k] === null || values[k] === "";
        order = all.filter((k) => !missing(k)).sort((a, b) => (down ? -1 : 1) * compare(a, b)).concat(all.filter(missing));
        find();
      };
    });

    // the dot under the pointer, or of the row in focus
    const picture = place.querySelector("svg"), tip = make("p");
    tip.className = "tip";
    tip.hidden = true;
    picture.after(tip);
    const scale = (ends) => (value) => ends[2] + (value - ends[0]) / (ends[1] - ends[0]) * (ends[3] - ends[2]);
    const [across, up] = [picture.dataset.across, picture.dataset.up].map((text) => scale(text.split(" ").map(Number)));
    const xs = columns[told.x].map((value) => value === null ? NaN : across(told.log ? Math.log2(value) : value));
    const ys = columns[told.p].map((p) => p === null ? NaN : up(-Math.log10(Math.max(p, 1e-300))));
    const ring = picture.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "circle"));
    for (const [name, value] of Object.entries({ r: 7, fill: "none", stroke: "currentColor", "stroke-width": 2, visibility: "hidden" })) ring.setAttribute(name, value);
    function mark(k) {
      const here = k >= 0 && !Number.isNaN(xs[k] + ys[k]);
      tip.hidden = !here;
      ring.setAttribute("visibility", here ? "visible" : "hidden");
      if (!here) return;
      ring.setAttribute("cx", xs[k]);
      ring.setAttribute("cy", ys[k]);
      const lines = told.cells.filter((cell) => cell.kind === "estimate" || cell.kind === "p").slice(0, 3);
      tip.replaceChildren(make("strong", names[k]), ...lines.map((cell) =>
        make("span", told.names[told.cells.indexOf(cell)].replace(/ \(95.*/, "") + ": " + words(cell, k) + (cell.kind === "estimate" ? " " + interval(cell, k) : ""))));
      const figure = tip.parentElement, frame = picture.getBoundingClientRect(), box = figure.getBoundingClientRect();
      const size = frame.width / picture.viewBox.baseVal.width, seen = figure.scrollLeft;
      const left = frame.left - box.left + seen + xs[k] * size, top = frame.top - box.top + ys[k] * size;
      tip.style.left = Math.max(seen, Math.min(left + 12, seen + box.width - tip.offsetWidth)) + "px";
      tip.style.top = (top + 14 + tip.offsetHeight > box.height ? top - 14 - tip.offsetHeight : top + 14) + "px";
    }
    picture.onpointermove = picture.onpointerdown = (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
      let best = -1, least = NEAR * NEAR;
      for (let k = 0; k < count; k++) {
        const away = (xs[k] - at.x) ** 2 + (ys[k] - at.y) ** 2;
        if (away < least) { least = away; best = k; }
      }
      mark(best);
    };
    picture.onpointerleave = () => mark(-1);
    fill();
    place.dataset.ready = "yes";
  }

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { near.unobserve(entry.target); explore(entry.target); }
  }, { rootMargin: "600px" });
  document.querySelectorAll(".explorer").forEach((place) => near.observe(place));
}
