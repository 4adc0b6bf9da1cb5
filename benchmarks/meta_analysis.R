# rma for each row of y.tsv and se.tsv in the folder given, as benchmarks/meta_analysis.py compares them; CPU seconds per fit
suppressMessages(library(metafor))
folder <- commandArgs(TRUE)[1]
y <- as.matrix(read.table(file.path(folder, "y.tsv"))); se <- as.matrix(read.table(file.path(folder, "se.tsv")))
pooled <- numeric(nrow(y))
spent <- system.time(for (i in seq_len(nrow(y))) pooled[i] <- rma(y[i, ], sei = se[i, ], method = "REML", test = "adhoc")$b)
cat(sprintf("%.8f %.8f\n", sum(spent[1:2]) / nrow(y), mean(pooled)))
