# R's side of benchmarks/expression.py: CPU seconds of each step. Debian packages r-bioc-deseq2, r-bioc-edger, r-cran-sandwich.
suppressMessages({library(DESeq2); library(edgeR); library(sandwich)})
folder <- commandArgs(TRUE)[1]; place <- function(name) file.path(folder, name)
counts <- as.matrix(read.csv(place("counts.csv"), row.names = 1)); people <- read.csv(place("people.csv"), row.names = 1)
seconds <- c()
timed <- function(name, work) { begin <- proc.time(); value <- force(work); used <- proc.time() - begin; seconds[name] <<- used[["user.self"]] + used[["sys.self"]]; value }
full <- ~ acceleration + batch2 + batch3 + male + smoker + bmi; reduced <- ~ batch2 + batch3 + male + smoker + bmi
d <- suppressMessages(DESeqDataSetFromMatrix(counts, people, full))
r <- timed("DESeq2, whole", { d <- suppressMessages(DESeq(d, quiet = TRUE)); results(d, name = "acceleration") })
timed("Wald", suppressMessages(nbinomWaldTest(d, quiet = TRUE)))
l <- timed("LRT", suppressMessages(nbinomLRT(d, reduced = reduced, quiet = TRUE)))
design <- model.matrix(full, people)
v <- NULL
f <- timed("limma-voom", { v <- voom(calcNormFactors(DGEList(counts)), design); eBayes(lmFit(v, design)) })
some <- v$E[seq_len(min(500, nrow(counts))), ]
timed("HC3, all genes", apply(some, 1, function(y) vcovHC(lm(y ~ design - 1), "HC3")[2, 2]))
seconds["HC3, all genes"] <- seconds["HC3, all genes"] * nrow(counts) / nrow(some)  # of 500 genes, taken to all
write.csv(data.frame(seconds = seconds), place("r_seconds.csv"))
write.csv(data.frame(estimate = r$log2FoldChange, error = r$lfcSE, p = r$pvalue, p_lrt = results(l)$pvalue, p_voom = f$p.value[, "acceleration"]), place("r.csv"), row.names = FALSE)
writeLines(paste0("R ", getRversion(), ", DESeq2 ", packageVersion("DESeq2"), ", limma ", packageVersion("limma"), ", edgeR ", packageVersion("edgeR")), place("versions.txt"))
