// Each figure and table: its data as TSV, the figure as SVG and PNG, made from what is on the page, and where it comes from.
{
  const make = (name, text = "", className = "") => Object.assign(document.createElement(name), { textContent: text, className });
  const plain = (text) => text.replace(/\s+/g, " ").trim().replace(/−(?=[\d.])/g, "-").replace(/(\d),(?=\d{3}\b)/g, "$1");
  const words = (cell) => { const copy = cell.cloneNode(true); copy.querySelectorAll("br").forEach((line) => line.replaceWith(" ")); return plain(copy.textContent); };
  const lines = (rows) => rows.map((row) => row.map((cell) => harmless(String(cell ?? ""))).join("\t")).join("\n") + "\n";

  function save(name, type, content) {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async function unpack(packed) {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }

  // a table as it stands, its intervals in columns of their own
  function read(table) {
    const rows = [...table.rows].map((row) => [...row.cells].flatMap((cell) => Array(cell.colSpan).fill(cell)));
    const width = Math.max(...rows.map((row) => row.length));
    const ends = (cell) => {
      const found = cell?.closest("tbody") && cell.querySelector("small") && /^(.*?) ?\((\S+?)(?: to |–)(\S+)\)$/.exec(words(cell));
      return found ? found.slice(1) : null;
    };
    const split = [...Array(width).keys()].map((n) => rows.some((row) => ends(row[n])));
    return lines(rows.map((row) => split.flatMap((wide, n) => {
      const text = row[n] && row[n] !== row[n - 1] ? words(row[n]) : "";
      if (!wide) return [text];
      const found = ends(row[n]);
      return found ?? (row[n]?.closest("thead") ? ["", ", from", ", to"].map((end) => text.replace(/,? ?\(95% CI\)/, "") + end) : [text, "", ""]);
    })));
  }

  // all genes (genes.js), packed by columns
  async function genes(script) {
    const told = JSON.parse(script.textContent), columns = JSON.parse(await unpack(told.data));
    const parts = told.cells.flatMap((cell, n) => cell.kind !== "estimate" ? [[told.names[n], cell.at]]
      : ["", ", from", ", to"].map((end, k) => [told.names[n].replace(/,? ?\(95% CI\)/, "") + end, cell.at + k]));
    return lines([parts.map(([name]) => name), ...columns[0].map((_, k) => parts.map(([, at]) => columns[at][k] ?? ""))]);
  }

  function picture(figure) {
    const svg = figure.querySelector("svg").cloneNode(true);
    svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    svg.setAttribute("style", "color: #1c2430; background: #ffffff");
    return new XMLSerializer().serializeToString(svg);
  }

  const crc = (bytes) => {
    let sum = -1;
    for (const byte of bytes) { sum ^= byte; for (let k = 0; k < 8; k++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0); }
    return ~sum;
  };

  // a PNG that says how large it is in print: the chunk pHYs, in pixels per metre, goes after the header of 33 bytes
  async function png(figure, dpi) {
    const image = new Image(), box = figure.querySelector("svg").viewBox.baseVal, most = 16000;
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(picture(figure));
    await image.decode();
    const scale = Math.min(dpi / 96, most / box.width, most / box.height), canvas = make("canvas");
    [canvas.width, canvas.height] = [Math.round(box.width * scale), Math.round(box.height * scale)];
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#ffffff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    const drawn = await new Promise((done) => canvas.toBlob(done, "image/png"));
    const chunk = new DataView(new ArrayBuffer(21)), metre = Math.round(scale * 96 / 0.0254);
    chunk.setUint32(0, 9);
    [..."pHYs"].forEach((letter, k) => chunk.setUint8(4 + k, letter.charCodeAt(0)));
    chunk.setUint32(8, metre);
    chunk.setUint32(12, metre);
    chunk.setUint8(16, 1);
    chunk.setUint32(17, crc(new Uint8Array(chunk.buffer, 4, 13)));
    return new Blob([drawn.slice(0, 33), chunk.buffer, drawn.slice(33)]);
  }

  // the file that lies beside an internal page
  function pdf(figure) {
    const page = document.documentElement.dataset.page, file = figure.dataset.file;
    if (!page || !file) return null;
    const link = make("a", "PDF", "take");
    link.href = ["figures", page, file].join("/") + ".pdf";
    link.download = named(figure, ".pdf");
    return link;
  }

  const head = (part) => part.querySelector("caption, figcaption");
  const title = (part) => head(part) ? words(head(part)) : part.querySelector("svg")?.getAttribute("aria-label") ?? "";
  const named = (part, ending) => [part.dataset.from?.split(" ")[0], title(part)].filter(Boolean).join(" ").toLowerCase()
    .replace(/[^\p{L}\d]+/gu, "-").replace(/^-|-$/g, "").slice(0, 80) + ending;

  function button(part, kind, act) {
    const one = make("button", kind, "take");
    one.type = "button";
    one.setAttribute("aria-label", kind + " of: " + title(part).slice(0, 120));
    one.onclick = act;
    return one;
  }

  // from result table to command, model and inputs: the lines of the page's table of provenance
  function provenance(names) {
    const list = make("ul");
    for (const name of names) {
      const row = document.getElementById("provenance-" + name.replace(/[^\p{L}\d]/gu, "-"));
      if (!row) continue;
      const line = list.appendChild(make("li"));
      const link = line.appendChild(make("a", name));
      link.href = "#" + row.id;
      for (const cell of [...row.cells].slice(1)) {
        const text = cell.cloneNode(true);
        line.append(make("br"), make("strong", row.closest("table").tHead.rows[0].cells[cell.cellIndex].textContent + ": "), ...text.childNodes);
      }
    }
    return list;
  }

  for (const part of document.querySelectorAll("main figure, main table")) {
    const isFigure = part.tagName === "FIGURE", bar = make("div", "", "takes");
    const packed = isFigure && part.querySelector("script.data"), all = part.closest(".explorer")?.querySelector("script.genes");
    if (isFigure && !part.querySelector("svg")) continue;
    const data = all ? () => genes(all) : packed ? () => unpack(packed.textContent) : isFigure ? null : async () => read(part);
    if (data) bar.append(button(part, "TSV", async () => save(named(part, ".tsv"), "text/tab-separated-values", await data())));
    if (isFigure) {
      bar.append(" ", button(part, "SVG", () => save(named(part, ".svg"), "image/svg+xml", picture(part))), " ", pdf(part) ?? "");
      for (const dpi of [300, 600]) bar.append(" ", button(part, "PNG, " + dpi + " dpi", async () => save(named(part, "-" + dpi + "dpi.png"), "image/png", await png(part, dpi))));
    }
    const names = part.dataset.from?.split(" ").filter((name) => document.getElementById("provenance-" + name.replace(/[^\p{L}\d]/gu, "-")));
    if (names?.length) {
      const where = make("details", "", "provenance"), told = where.appendChild(make("summary", "Provenance"));
      told.setAttribute("aria-label", "Provenance of: " + title(part).slice(0, 120));
      where.addEventListener("toggle", () => { if (!where.querySelector("ul")) where.append(provenance(names)); });
      bar.append(" ", where);
    }
    if (isFigure) part.append(bar); else (part.closest(".scroll") ?? part).after(bar);
  }

  for (const one of document.querySelectorAll("button[data-save]"))
    one.onclick = () => save(one.dataset.save, "text/plain", document.getElementById(one.dataset.of).textContent);

  // a link into what is folded away unfolds it
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    const go = () => target.scrollIntoView();
    go();
    requestAnimationFrame(() => requestAnimationFrame(go)); // what came near on the way now has its true height
  };
  addEventListener("hashchange", unfold);
  unfold();
}
