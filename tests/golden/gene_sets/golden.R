# Golden values for tests/analyses/test_gene_sets.py. Here: Rscript golden.R. Debian package r-base-core; base R only.
options(digits = 17)
# tested genes, genes of the set, found genes, found genes of the set
cases <- data.frame(background = c(15000, 2000, 300, 50), own = c(120, 40, 30, 5), found = c(800, 100, 60, 10), both = c(25, 2, 0, 5))
rows <- lapply(seq_len(nrow(cases)), function(i) {
  x <- cases[i, ]
  t <- matrix(c(x$both, x$own - x$both, x$found - x$both, x$background - x$own - x$found + x$both), 2, byrow = TRUE)
  cbind(x, p_value = fisher.test(t, alternative = "greater")$p.value, odds_ratio = t[1, 1] * t[2, 2] / (t[1, 2] * t[2, 1]))
})
# enrichment score by its definition (Subramanian et al. 2005), weight 1
stat <- sin(1:40) * seq(3, 1, length.out = 40); names(stat) <- paste0("G", 1:40); stat <- sort(stat, decreasing = TRUE)
hit <- names(stat) %in% c("G1", "G5", "G7", "G11", "G14", "G22")
run <- cumsum(ifelse(hit, abs(stat) / sum(abs(stat[hit])), -1 / sum(!hit)))
es <- run[which.max(abs(run))]
write.table(do.call(rbind, rows), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(format(unname(es), digits = 17), "enrichment.txt")
writeLines(R.version.string, "versions.txt")
