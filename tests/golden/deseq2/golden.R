# DESeq2's whole chain on each table of counts. In the top folder: python -m tests.golden.deseq2.data; then here: Rscript golden.R
# Debian packages r-bioc-deseq2, r-cran-mass, r-cran-sandwich.
suppressMessages({library(DESeq2); library(sandwich)})
formulas <- list(small = ~ acceleration + age + batch2 + batch3 + male + smoker, large = ~ acceleration + age + batch2 + batch3 + male + smoker,
                 groups = ~ cancer + male, curved = ~ acceleration + age, cells = ~ myeloid + mitochondrial + cycling)
save <- function(table, name) write.table(format(table, digits = 11, trim = TRUE), paste0(name, ".tsv"), sep = "\t", row.names = FALSE, quote = FALSE)
facts <- NULL
for (name in names(formulas)) {
  counts <- as.matrix(read.csv(paste0(name, "_counts.csv"), row.names = 1)); people <- read.csv(paste0(name, "_people.csv"), row.names = 1)
  d <- suppressMessages(DESeqDataSetFromMatrix(counts, people, formulas[[name]]))
  d <- suppressMessages(DESeq(d, quiet = TRUE)); m <- mcols(d)
  first <- colnames(people)[1]; second <- colnames(people)[2]
  r <- results(d, name = first); between <- results(d, contrast = list(first, second), independentFiltering = FALSE)
  reduced <- as.formula(paste("~", paste(colnames(people)[-1], collapse = " + ")))
  against <- function(smaller) results(suppressMessages(DESeq(d, test = "LRT", reduced = smaller, quiet = TRUE)), independentFiltering = FALSE)
  lrt <- against(reduced); null <- against(~ 1)
  save(data.frame(gene = rownames(d), base_mean = m$baseMean, gene_dispersion = m$dispGeneEst, trend = m$dispFit, dispersion = m$dispersion,
                  estimate = r$log2FoldChange, standard_error = r$lfcSE, p_value = r$pvalue, padj = r$padj,
                  padj_05 = results(d, name = first, alpha = 0.05)$padj, padj_all = results(d, name = first, independentFiltering = FALSE)$padj,
                  difference = between$log2FoldChange, difference_error = between$lfcSE, difference_p = between$pvalue,
                  lrt = lrt$stat, lrt_p = lrt$pvalue, lrt_null = null$stat, max_cooks = m$maxCooks), name)
  facts <- rbind(facts, data.frame(data = name, sample = colnames(d), size_factor = sizeFactors(d), poscounts = sizeFactors(estimateSizeFactors(d, type = "poscounts")),
                                   prior_variance = attr(dispersionFunction(d), "dispPriorVar"), trend = attr(dispersionFunction(d), "fitType")))
  if (name == "small") {
    # each age alone, dispersions given: the difference of both coefficients, robust (HC3, both fits stacked)
    rows <- which(m$dispersion < 1 & m$baseMean > 20)[1:25]; offsets <- log(sizeFactors(d))
    influence <- function(y, alpha, term) {
      people$y <- y; people$offsets <- offsets
      f <- as.formula(paste("y ~", paste(c(term, "batch2", "batch3", "male", "smoker"), collapse = " + "), "+ offset(offsets)"))
      fit <- glm(f, family = MASS::negative.binomial(1 / alpha), data = people, control = list(epsilon = 1e-14, maxit = 100))
      unscaled <- summary(fit)$cov.unscaled; x <- model.matrix(fit); mu <- fitted(fit); w <- mu / (1 + alpha * mu)
      hat <- w * rowSums((x %*% unscaled) * x)
      c(coef(fit)[term], ((x * ((people$y - mu) / (1 + alpha * mu) / (1 - hat))) %*% unscaled)[, term])
    }
    save(do.call(rbind, lapply(rows, function(i) {
      a <- influence(counts[i, ], m$dispersion[i], "acceleration"); b <- influence(counts[i, ], m$dispersion[i], "age")
      data.frame(gene = rownames(d)[i], dispersion = m$dispersion[i], acceleration = a[1] / log(2), age = b[1] / log(2),
                 difference = (a[1] - b[1]) / log(2), difference_error = sqrt(sum((a[-1] - b[-1])^2)) / log(2))
    })), "alone")
  }
}
save(facts, "samples")
writeLines(c(R.version.string, paste("DESeq2", packageVersion("DESeq2")), paste("locfit", packageVersion("locfit"))), "versions.txt")
