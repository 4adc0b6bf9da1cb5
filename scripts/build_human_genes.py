"""Write faceage_bio/intake/rna/human_genes.tsv.gz, the table of human genes by Entrez, Ensembl, symbol and alias.

    apt-get install r-bioc-org.hs.eg.db      # Debian 12: 3.16.0-1
    python scripts/build_human_genes.py

Source: org.Hs.eg.db 3.16.0 (Bioconductor, Artistic-2.0), which holds NCBI Gene of 12 September 2022 and Ensembl identifiers of
28 June 2022. Of its 77,614 entries those are kept that are genes (no biological regions, no entries of unknown or other type).
"""

import gzip
import sqlite3
from pathlib import Path

SOURCE = Path("/usr/lib/R/site-library/org.Hs.eg.db/extdata/org.Hs.eg.sqlite")
TARGET = Path(__file__).parent.parent / "faceage_bio" / "intake" / "rna" / "human_genes.tsv.gz"
LEFT_OUT = ("biological-region", "unknown", "other")
HEADER = "symbol\tentrez_id\tensembl_ids\taliases\n"


def rows(source: sqlite3.Connection) -> list[tuple[str, str, str, str]]:
    """Symbol, Entrez identifier, Ensembl identifiers and other names of each gene, sorted by symbol."""
    ensembl, aliases = {}, {}
    for gene, name in source.execute("select _id, ensembl_id from ensembl order by ensembl_id"):
        ensembl.setdefault(gene, []).append(name)
    for gene, name in source.execute("select _id, alias_symbol from alias order by alias_symbol"):
        if " " not in name:
            aliases.setdefault(gene, []).append(name)
    genes = source.execute(
        "select genes._id, gene_id, symbol, gene_type from genes join gene_info using (_id) join genetype using (_id)"
    )
    return sorted(
        (
            symbol,
            entrez,
            " ".join(ensembl.get(gene, [])),
            " ".join(name for name in aliases.get(gene, []) if name != symbol),
        )
        for gene, entrez, symbol, kind in genes
        if kind not in LEFT_OUT and not symbol.startswith("LOC1")
    )


if __name__ == "__main__":
    with sqlite3.connect(SOURCE) as source:
        table = rows(source)
    text = HEADER + "".join("\t".join(row) + "\n" for row in table)
    TARGET.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{len(table)} genes, {TARGET.stat().st_size / 1e6:.2f} MB")
