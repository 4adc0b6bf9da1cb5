# TMM, voom, eBayes, duplicateCorrelation and HC3. In the top folder: python -m tests.golden.voom.data; then here: Rscript golden.R
# Debian packages r-bioc-limma, r-bioc-edger, r-cran-statmod, r-cran-sandwich, r-cran-lmtest.
suppressMessages({library(edgeR); library(sandwich); library(lmtest)})
save <- function(table, name) write.table(format(table, digits = 11, trim = TRUE), paste0(name, ".tsv"), sep = "\t", row.names = FALSE, quote = FALSE)
facts <- NULL
for (name in c("small", "cells", "repeated")) {
  counts <- as.matrix(read.csv(paste0(name, "_counts.csv"), row.names = 1)); people <- read.csv(paste0(name, "_people.csv"), row.names = 1)
  design <- model.matrix(~ ., people); first <- colnames(people)[1]; second <- colnames(people)[2]
  d <- calcNormFactors(DGEList(counts)); v <- voom(d, design); fit <- eBayes(lmFit(v, design))
  out <- data.frame(gene = rownames(counts), weight = v$weights[, 1], estimate = fit$coefficients[, first],
                    standard_error = fit$stdev.unscaled[, first] * sqrt(fit$s2.post), p_value = fit$p.value[, first])
  # the difference of two coefficients: that of the first when the second column is their sum (contrasts.fit is inexact with weights)
  both <- design; both[, second] <- design[, first] + design[, second]
  fit2 <- eBayes(lmFit(v, both)); out$difference <- fit2$coefficients[, first]; out$difference_p <- fit2$p.value[, first]
  hc3 <- t(apply(v$E, 1, function(y) { m <- lm(y ~ design - 1); coeftest(m, vcovHC(m, "HC3"))[2, ] }))
  out$hc3_estimate <- hc3[, 1]; out$hc3_error <- hc3[, 2]; out$hc3_p <- hc3[, 4]
  consensus <- NA
  if (name == "repeated") {
    person <- (seq_len(nrow(people)) - 1) %/% 3
    consensus <- duplicateCorrelation(v, design, block = person)$consensus
    fit3 <- eBayes(lmFit(v, design, block = person, correlation = consensus))
    out$block_estimate <- fit3$coefficients[, second]; out$block_p <- fit3$p.value[, second]; out$block_first_p <- fit3$p.value[, first]
  }
  save(out, name)
  facts <- rbind(facts, data.frame(data = name, sample = colnames(counts), factor = d$samples$norm.factors, df_prior = fit$df.prior,
                                   s2_prior = fit$s2.prior, consensus = consensus))
}
save(facts, "samples")
writeLines(c(R.version.string, paste("limma", packageVersion("limma")), paste("edgeR", packageVersion("edgeR")),
             paste("statmod", packageVersion("statmod")), paste("sandwich", packageVersion("sandwich"))), "versions.txt")
