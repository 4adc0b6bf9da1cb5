"""How soon a browser shows a report with 20,000 genes, beside plain pages of the volcano alone by Plotly and by Altair.

    make demo && python -m benchmarks.pages            # Chromium; Plotly is asked only if it is installed
    python -m benchmarks.pages --genes 60000

Ours holds everything that the demo's pages hold, with the genes of each analysis grown to that number; the peers hold one volcano of
as many points, as SVG. Every page is opened from its file in turn, round after round; medians are printed. "Drawn" is the first frame
after a volcano stands in the page, counted from the start of the navigation. Ours unpacks the genes, to be pointed at and searched,
when the reader comes near: that is "ready", counted from there.
"""

import argparse
import importlib.metadata
import importlib.util
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.report.pages import association_page, survival_page
from tests.browser import chromium
from tests.pages import study_of, with_genes

# what stands in the page once its volcano is drawn
DRAWN = {"ours": "figure.volcano svg path", "Plotly": ".scatterlayer .point", "Altair": ".mark-symbol path"}
WATCH = """{
  const watch = () => requestAnimationFrame((now) => {
    if (document.querySelector('%s')) requestAnimationFrame((next) => { window.drawnAfter = next; }); else watch();
  });
  watch();
}"""
READY = """const [done, begin] = [arguments[0], performance.now()], place = document.querySelector(".explorer");
for (let part = place; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
place.scrollIntoView();
const wait = () => place.dataset.ready ? done(performance.now() - begin) : requestAnimationFrame(wait);
wait();"""


def plotly_page(genes: pd.DataFrame, path: Path) -> None:
    import plotly.graph_objects as go

    points = go.Scatter(x=genes.x, y=genes.y, text=genes.term, mode="markers", marker={"size": 4})
    go.Figure(points).write_html(path, include_plotlyjs=True)


def altair_page(genes: pd.DataFrame, path: Path) -> None:
    import altair as alt

    chart = alt.Chart(genes).mark_circle(size=12).encode(x="x:Q", y="y:Q", tooltip="term:N")
    with alt.data_transformers.enable("default", max_rows=None):
        chart.properties(width=560, height=340).save(path, inline=True, embed_options={"renderer": "svg"})


PEERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {"Plotly": plotly_page, "Altair": altair_page}


def make_pages(results: Path, n_genes: int, folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Name, library and file of each page."""
    tables, config, cards = study_of(results)
    tables = with_genes(tables, n_genes)
    for name, page in (("association", association_page), ("survival", survival_page)):
        path = folder / f"{name}.html"
        path.write_text(page(tables, config, cards), encoding="utf-8")
        yield f"ours, {name}", "ours", path
    genes = tables.get("survival", "genes").head(n_genes)
    genes = genes.assign(x=np.log2(genes["estimate"]), y=-np.log10(genes["p_value"]))[["term", "x", "y"]]
    for name, write in PEERS.items():
        if importlib.util.find_spec(name.lower()):
            path = folder / f"{name}.html"
            write(genes.round(4), path)
            yield f"{name} {importlib.metadata.version(name.lower())}, volcano alone", name, path


def open_page(browser, library: str, path: Path) -> tuple[float, float, float]:
    """Seconds from the start of the navigation to the load event and until a volcano is drawn, and from there until it is ready."""
    told = browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": WATCH % DRAWN[library]}
    )
    browser.get(path.as_uri())
    drawn = browser.execute_async_script(
        "const done = arguments[0], wait = () => window.drawnAfter ? done(window.drawnAfter) : setTimeout(wait, 20); wait();"
    )
    loaded = browser.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": told["identifier"]})
    ready = browser.execute_async_script(READY) if library == "ours" else 0
    return loaded / 1000, drawn / 1000, ready / 1000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--demo", type=Path, default=Path("."), help="folder in which the demo ran")
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pages = list(make_pages(asked.demo, asked.genes, folder))
        seconds: dict[str, list[tuple[float, float, float]]] = {name: [] for name, _, _ in pages}
        with chromium(folder / "profile") as browser:
            print(
                f"{asked.genes:,} genes, Chromium {browser.capabilities['browserVersion']}, {asked.rounds} rounds"
            )
            browser.set_script_timeout(120)
            for _ in range(asked.rounds):
                for name, library, path in pages:
                    seconds[name].append(open_page(browser, library, path))
        for name, _, path in pages:
            load, drawn, ready = (statistics.median(each) for each in zip(*seconds[name], strict=True))
            print(
                f"  {name:34} {path.stat().st_size / 1e6:6.2f} MB   load event {load:6.2f} s   volcano drawn {drawn:6.2f} s   ready {ready:6.2f} s"
            )


if __name__ == "__main__":
    main()
