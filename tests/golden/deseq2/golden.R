# DESeq2's Wald tests of a continuous exposure. In the top folder: python -m tests.golden.deseq2.data; then here: Rscript golden.R
# Debian package r-bioc-deseq2.
suppressMessages(library(DESeq2))
counts <- as.matrix(read.csv("counts.csv", row.names = 1)); people <- read.csv("people.csv", row.names = 1)
d <- DESeqDataSetFromMatrix(counts, people, ~ exposure + age + male)
d <- suppressMessages(DESeq(d, quiet = TRUE))
r <- results(d, name = "exposure")
out <- data.frame(gene = rownames(r), base_mean = r$baseMean, estimate = r$log2FoldChange, standard_error = r$lfcSE, p_value = r$pvalue)
write.table(format(out, digits = 15, trim = TRUE), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("DESeq2", packageVersion("DESeq2"))), "versions.txt")
