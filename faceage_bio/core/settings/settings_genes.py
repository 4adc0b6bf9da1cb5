"""RNA and DNA against age acceleration."""

from typing import Literal

from pydantic import Field

from faceage_bio.core.settings.closed import Closed, FilePath
from faceage_bio.core.settings.settings_photos import Rule, rule_of


class SampleQuality(Closed):
    """RNA samples that differ: excluded from the models, flagged in the ledger, or used as they are (ignore). Those without
    any count are always excluded."""

    outlier: Rule = rule_of("flag", 5)
    """Further than this many robust standard deviations from the median, in log library size or on one of the components."""
    sex_mismatch: Rule = rule_of("flag", 2)
    """XIST against genes of the Y chromosome indicates another sex than recorded, by at least this many log2 units."""
    components: int = Field(default=5, ge=1, le=20)
    """Principal components that are looked at."""
    variable_genes: int = Field(default=500, ge=2)
    """They are made of so many genes, those that vary most."""


class PanelReason(Closed):
    """Why a gene is in the panel."""

    why: str
    source: str
    """A publication, such as a DOI."""
    expected: Literal["up", "down", "either"] = "either"
    """Which way its RNA changes with senescence."""


class Expression(Closed):
    """Genes against age acceleration (DESeq2's method; limma-voom as second opinion)."""

    covariates: list[str] = ["chronological_age", "sex", "smoking", "bmi"]
    """Columns in the design in addition to age acceleration; `batch` of the samples table may be named too. Chronological age, for
    comparison, always is in it. Interactions as sex:smoking, in addition to both of their columns."""
    panel: list[str] = [
        "CDK6", "CDKN2A", "CDKN1A", "CDKN2B", "CDK4", "TP53", "RB1", "LMNB1", "SERPINE1", "GDF15", "IL6",
        "CXCL8", "MMP3", "HMGB1", "GLB1", "TNFRSF10B",
    ]  # fmt: skip
    """Prespecified genes, with a false discovery rate of their own; the first is the headline. Why each of these is here
    stands in the report, with its source."""
    panel_reasons: dict[str, PanelReason] = Field(default_factory=dict)
    """Why genes of your own are in the panel: {MYC: {why: amplified in this tumour, source: "doi:10.1038/..."}}."""
    headline: Literal["auto", "DESeq2", "limma-voom"] = "auto"
    """The method of estimates and p-values; the other stands alongside. auto: DESeq2 for fewer than 50 samples; otherwise DESeq2
    only if its type I error on permuted exposures is 0.04 to 0.06 at the 0.05 level (95% CI), else limma-voom. Chosen and
    stored before any real p-value is computed."""
    engine: Literal["builtin", "pydeseq2"] = "builtin"
    """Whose DESeq2: builtin equals R's, has the likelihood-ratio test and is 4 to 20 times as fast; pydeseq2 for those who must use
    that package (log10 p within 0.01 of R's in 99.5% of the genes). Permuted exposures are always fitted by builtin."""
    permutations: int = Field(default=50, ge=2, le=10_000)
    """Permuted exposures on which the methods are tried, on the panel and 2,000 further genes."""
    per_years: float = Field(default=10.0, gt=0)
    """Fold changes are given per this many years of age acceleration, and of chronological age."""
    min_count: int = Field(default=10, ge=0)
    """A gene is tested if it has at least this count ..."""
    min_samples: int = Field(default=10, ge=1)
    """... in at least this many samples."""
    tissue: str | None = None
    """Of several tissues in the samples table (column tissue), the one that is analysed, such as tumour."""
    repeated_samples: Literal["first", "last", "sum", "block"] = "first"
    """Several samples of a participant: the first or last by date, their sum, or all (block: samples of a participant are a block
    in the errors)."""
    min_genes_per_cell: int = Field(default=200, ge=0)
    """Single cell: cells with fewer genes detected are dropped (empty droplets, broken cells; 200 is Seurat's and scanpy's
    tutorial default, neutrophils may need less)."""
    max_mitochondrial: float = Field(default=0.2, ge=0, le=1)
    """Single cell: cells of which a greater share of the counts is of mitochondrial genes (MT-...) are dropped, as dying ones
    (0.2 suits most tissues; heart, kidney and liver have more, nuclei hardly any: 0.05). 1 drops none."""
    min_cells: int = Field(default=10, ge=1)
    """Single cell: a donor's cell type with fewer cells is dropped. Its cells still count in the composition."""
    min_profile_counts: int = Field(default=10_000, ge=0)
    """Single cell: a donor's cell type whose cells sum to fewer counts is dropped."""
    min_donors: int = Field(default=10, ge=2)
    """Single cell: the share of a cell type is compared if at least this many donors have cells of it."""
    quality: SampleQuality = Field(default_factory=SampleQuality)
    workers: int = Field(default=2, ge=1)
    """Processor cores for the models of genes, at most."""
    gene_sets: list[str] = [
        "SenMayo", "CELLAGE", "FRIDMAN_SENESCENCE", "GO_CELLULAR_SENESCENCE", "REACTOME_CELLULAR_SENESCENCE",
    ]  # fmt: skip
    """Sets of senescence genes that ship (`faceage-bio list-gene-sets` shows their sources)."""
    gmt: list[FilePath] = []
    """GMT files with sets of your own; NAME_UP and NAME_DOWN are taken for one set with directions."""
    min_coverage: float = Field(default=0.5, ge=0, le=1)
    """A set is scored if at least this share of its genes has enough counts."""
    hidden_components: int = Field(default=2, ge=0, le=20)
    """Sensitivity: with up to so many hidden components (singular vectors of the residuals) in the model."""
    composition: list[str] = []
    """Sensitivity: columns of the samples table with shares of cell types. Leave one type out, since shares add up to 1."""
    purity: str | None = None
    """Sensitivity: column of the samples table with the tumour's share of the sample."""
    mediator: str | None = "smoking"
    """Sensitivity: column by way of which age acceleration may be associated with a gene, if it is a mediator. null: none."""
    bootstraps: int = Field(default=1000, ge=100, le=100_000)
    """Resamples for the interval of the mediated part."""
    seed: int = Field(default=1, ge=0)
    """Of the permutations of gene set enrichment, and of the resamples."""


class Variants(Closed):
    """DNA variants of the genes of expression.panel against age acceleration, chronological age as negative control."""

    maf: float = Field(default=0.01, gt=0, le=0.5)
    """Variants up to this minor allele frequency (among the participants analysed) are rare, and tested together per gene."""
    call_rate: float = Field(default=0.95, ge=0, le=1)
    """Least share of known genotypes, per participant and per variant."""
    weights: Literal["carriers", "alleles", "weighted"] = "carriers"
    """What the burden test counts of a gene's rare variants: whether a participant carries any, how many alleles, or alleles weighted by
    rarity. SKAT always weighs by Beta(1, 25)."""
    min_carriers: int = Field(default=5, ge=1)
    """With fewer carriers nothing is estimated."""
    covariates: list[str] = ["sex"]
    """Columns in addition to chronological age and the ancestry components."""
    common: bool = True
    """Whether common variants of these genes are tested one by one."""
